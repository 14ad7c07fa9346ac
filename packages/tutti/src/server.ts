// All of it, by another name: @tutti/server names what it exports.
export * from "@tutti/server";
