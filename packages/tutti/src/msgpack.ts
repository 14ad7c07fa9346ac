/** A codec for who sends bytes: given to the server beside `jsonCodec`, and to the clients that are to use it. */
export { msgpackCodec } from "@tutti/protocol/msgpack";
