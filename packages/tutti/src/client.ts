// All of it, by another name: @tutti/client names what it exports.
export * from "@tutti/client";
