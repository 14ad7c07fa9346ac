import * as z from "zod";

// The server forbids the page to make code out of strings, which zod would try first.
z.config({ jitless: true });
