export * from "@tutti/client/poll";
