export * from "@tutti/client/long-poll";
