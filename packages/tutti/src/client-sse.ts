export * from "@tutti/client/sse";
