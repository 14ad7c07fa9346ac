// All of it, by another name: @tutti/testkit names what it exports.
export * from "@tutti/testkit";
