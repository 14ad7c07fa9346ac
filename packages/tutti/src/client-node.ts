export * from "@tutti/client/node";
