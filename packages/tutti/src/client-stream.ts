export * from "@tutti/client/stream";
