"""gRPC by Python's grpcio: a peer to measure against, and a stranger to understand.

  bench CONTENT CHUNK CALLS CLIENT SERVER
                                a client and a server in a process of its own, plain bytes as messages,
                                so many calls at a time, each on a thread; all threads of either end
                                stay on the CPU of that number;
                                reads `write|read|stream COUNT` a line, answers with the nanoseconds
                                of all together and then of each;
                                `check write|read|stream` compares every byte, answers `checked`
  check ADDRESS CONTENT CHUNK   writes, reads and streams against the blob service at ADDRESS
  serve CONTENT [CPU]           serves the blob service; prints its port; ends with its input;
                                all its threads stay on the CPU of that number

CONTENT is a file. What moves is compared with it. Messages are encoded by hand: no protoc.
A call has a time limit. What went wrong is the last line on standard error.
"""

import concurrent.futures
import multiprocessing
import os
import pathlib
import sys
import time

import grpc

SERVICE = "weighbridge.blob.v1.Blob"
# Asks the server of `bench` to compare what is written.
VERIFY = (("weighbridge-sink", "verify"),)
CALL_SECONDS = 120
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def chunk_message(data):
    return b"\x0a" + varint(len(data)) + data if data else b""


def numbers_message(*numbers):
    fields = enumerate(numbers, start=1)
    return b"".join(bytes([field << 3]) + varint(number) for field, number in fields if number)


def read_varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def chunk_data(message):
    if not message:
        return b""
    if message[0] != 0x0A:
        raise ValueError("the message does not begin with its data")
    length, at = read_varint(message, 1)
    if at + length != len(message):
        raise ValueError("the message has another length than it says")
    return message[at:]


def numbers(message, count):
    found, at = [0] * count, 0
    while at < len(message):
        tag, at = read_varint(message, at)
        found[(tag >> 3) - 1], at = read_varint(message, at)
    return found


def pieces(content, chunk):
    return (content[at : at + chunk] for at in range(0, len(content), chunk))


class Blob(grpc.GenericRpcHandler):
    """The blob service on bytes, with protobuf around them or without."""

    def __init__(self, content, chunk, protobuf):
        self.content, self.chunk, self.protobuf = content, chunk, protobuf

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name == "Write":
            return grpc.stream_unary_rpc_method_handler(self.write)
        if name == "Read":
            return grpc.unary_unary_rpc_method_handler(self.read)
        if name == "Stream":
            return grpc.unary_stream_rpc_method_handler(self.stream)
        return None

    def write(self, messages, context):
        length = count = 0
        compare = self.protobuf or VERIFY[0] in map(tuple, context.invocation_metadata())
        for message in messages:
            data = chunk_data(message) if self.protobuf else message
            if compare and self.content[length : length + len(data)] != data:
                context.abort(grpc.StatusCode.DATA_LOSS, "other content was written")
            length += len(data)
            count += 1
        return numbers_message(length, count)

    def read(self, message, context):
        if not self.protobuf:
            return self.content
        offset, length = numbers(message, 2)
        return chunk_message(self.content[offset : offset + length])

    def stream(self, message, context):
        if not self.protobuf:
            yield from pieces(self.content, self.chunk)
            return
        offset, length, chunk = numbers(message, 3)
        for piece in pieces(self.content[offset : offset + length], chunk):
            yield chunk_message(piece)


def start(content, chunk, protobuf):
    workers = concurrent.futures.ThreadPoolExecutor(max_workers=8)
    server = grpc.server(workers, options=UNLIMITED)
    server.add_generic_rpc_handlers((Blob(content, chunk, protobuf),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve_apart(path, chunk, cpu, pipe):
    # Before there are threads, which inherit it.
    os.sched_setaffinity(0, {cpu})
    server, port = start(pathlib.Path(path).read_bytes(), chunk, False)
    pipe.send(port)
    try:
        pipe.recv()
    except EOFError:
        pass
    server.stop(None)


def methods(channel):
    return (
        channel.stream_unary(f"/{SERVICE}/Write"),
        channel.unary_unary(f"/{SERVICE}/Read"),
        channel.unary_stream(f"/{SERVICE}/Stream"),
    )


def bench(path, chunk, calls, client, server):
    os.sched_setaffinity(0, {client})
    content = pathlib.Path(path).read_bytes()
    here, there = multiprocessing.get_context("spawn").Pipe()
    spawn = multiprocessing.get_context("spawn")
    # A daemon does not keep a client that failed from ending.
    apart = spawn.Process(target=serve_apart, args=(path, chunk, server, there), daemon=True)
    apart.start()
    there.close()
    if not here.poll(CALL_SECONDS):
        raise TimeoutError(f"the server did not serve within {CALL_SECONDS} seconds")
    channel = grpc.insecure_channel(f"127.0.0.1:{here.recv()}", options=UNLIMITED)
    write, read, stream = methods(channel)

    def once(operation, check):
        if operation == "write":
            metadata = VERIFY if check else None
            reply = write(pieces(content, chunk), timeout=CALL_SECONDS, metadata=metadata)
            length, _ = numbers(reply, 2)
        elif operation == "read":
            answer = read(b"", timeout=CALL_SECONDS)
            length = len(answer)
            if check and answer != content:
                raise ValueError("read other content")
        else:
            length = 0
            for piece in stream(b"", timeout=CALL_SECONDS):
                if check and content[length : length + len(piece)] != piece:
                    raise ValueError("streamed other content")
                length += len(piece)
        if length != len(content):
            raise ValueError(f"{operation} moved {length} bytes of {len(content)}")

    def timed(operation, tickets):
        times = []
        for _ in tickets:
            began = time.perf_counter_ns()
            once(operation, False)
            times.append(time.perf_counter_ns() - began)
        return times

    workers = concurrent.futures.ThreadPoolExecutor(max_workers=calls)
    for operation in ("write", "read", "stream"):
        once(operation, True)
    print("ready", flush=True)
    for line in sys.stdin:
        operation, count = line.split()
        if operation == "check":
            once(count, True)
            print("checked", flush=True)
            continue
        # Shared: whoever is free takes the next.
        tickets = iter(range(int(count)))
        began = time.perf_counter_ns()
        if calls == 1:
            times = timed(operation, tickets)
        else:
            running = [workers.submit(timed, operation, tickets) for _ in range(calls)]
            times = [each for worker in running for each in worker.result()]
        print(time.perf_counter_ns() - began, *times, flush=True)
    here.close()
    channel.close()
    apart.join(5)


def check(address, path, chunk):
    content = pathlib.Path(path).read_bytes()
    channel = grpc.insecure_channel(address, options=UNLIMITED)
    write, read, stream = methods(channel)
    messages = map(chunk_message, pieces(content, chunk))
    reply = numbers(write(messages, timeout=CALL_SECONDS), 2)
    if reply != [len(content), -(-len(content) // chunk)]:
        raise ValueError(f"write was answered with {reply}")
    if chunk_data(read(numbers_message(0, len(content)), timeout=CALL_SECONDS)) != content:
        raise ValueError("read other content")
    request = numbers_message(0, len(content), chunk)
    if b"".join(map(chunk_data, stream(request, timeout=CALL_SECONDS))) != content:
        raise ValueError("streamed other content")
    middle = numbers_message(len(content) // 3, len(content) // 2)
    at = len(content) // 3
    if chunk_data(read(middle, timeout=CALL_SECONDS)) != content[at : at + len(content) // 2]:
        raise ValueError("read another range")
    channel.close()
    print(f"grpcio {grpc.__version__}: {len(content)} bytes written, read and streamed", flush=True)


def serve(path, *cpu):
    if cpu:
        os.sched_setaffinity(0, map(int, cpu))
    server, port = start(pathlib.Path(path).read_bytes(), 0, True)
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


def main(mode=None, *arguments):
    if mode == "bench":
        bench(arguments[0], *map(int, arguments[1:]))
    elif mode == "check":
        check(arguments[0], arguments[1], int(arguments[2]))
    elif mode == "serve":
        serve(*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
