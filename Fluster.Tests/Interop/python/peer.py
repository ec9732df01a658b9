"""The peer that stands on grpcio (Debian's python3-grpcio).

   peer.py client ADDRESS DESCRIPTOR_SET
   peer.py server DESCRIPTOR_SET
"""

import json
import queue
import sys
import time
import traceback
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "fluster.interop.v1.InteropService"
STREAM_REQUESTS = [27182, 8, 1828, 45904]
STREAM_RESPONSES = [31415, 9, 2653, 58979]
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
CASE_HEADER = "x-interop-case"
LARGE_RESPONSE = 314159
CALL_TIMEOUT_S = 30


class Messages:
    """The message classes of the protos, by their short names."""

    def __init__(self, descriptor_set):
        pool = descriptor_pool.DescriptorPool()
        with open(descriptor_set, "rb") as file:
            for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
                pool.Add(proto)
        self._pool = pool
        self._factory = message_factory.MessageFactory(pool)

    def __getattr__(self, name):
        return self._factory.GetPrototype(self._pool.FindMessageTypeByName("fluster.interop.v1." + name))

    def zeros(self, size):
        return self.Payload(body=bytes(size))


class Client:
    def __init__(self, address, descriptor_set):
        self.messages = Messages(descriptor_set)
        self.channel = grpc.insecure_channel(address.replace("http://", ""), options=[("grpc.max_receive_message_length", -1)])

    def method(self, kind, name, service=SERVICE):
        return getattr(self.channel, kind)(
            f"/{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=getattr(self.messages, name + "Response").FromString,
        )

    def unary(self, request, name="Unary", **options):
        return self.method("unary_unary", name).with_call(request, timeout=CALL_TIMEOUT_S, **options)

    def duplex(self, requests, timeout=CALL_TIMEOUT_S, **options):
        return self.method("stream_stream", "Duplex")(requests, timeout=timeout, **options)


class Requests:
    """The requests of a stream, sent as they are put."""

    def __init__(self):
        self._queue = queue.Queue()

    def put(self, request):
        self._queue.put(request)

    def end(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def error_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


class Cases:
    def __init__(self, client):
        self.c = client
        self.m = client.messages

    def empty_unary(self):
        self.c.unary(self.m.EmptyRequest(), name="Empty")

    def large_unary(self):
        response, _ = self.c.unary(self.m.UnaryRequest(response_size=LARGE_RESPONSE, payload=self.m.zeros(271828)))
        expect(len(response.payload.body), LARGE_RESPONSE)

    def client_streaming(self):
        requests = [self.m.ClientStreamRequest(payload=self.m.zeros(size)) for size in STREAM_REQUESTS]
        response = self.c.method("stream_unary", "ClientStream")(iter(requests), timeout=CALL_TIMEOUT_S)
        expect(response.aggregated_payload_size, 74922)

    def server_streaming(self):
        request = self.m.ServerStreamRequest(parameters=[self.m.ResponseParameters(size=size) for size in STREAM_RESPONSES])
        responses = self.c.method("unary_stream", "ServerStream")(request, timeout=CALL_TIMEOUT_S)
        expect([len(response.payload.body) for response in responses], STREAM_RESPONSES)

    def _ping(self, i):
        return self.m.DuplexRequest(
            parameters=[self.m.ResponseParameters(size=STREAM_RESPONSES[i])], payload=self.m.zeros(STREAM_REQUESTS[i]))

    def ping_pong(self):
        requests = Requests()
        call = self.c.duplex(iter(requests))
        for i, size in enumerate(STREAM_RESPONSES):
            requests.put(self._ping(i))
            expect(len(next(call).payload.body), size)
        requests.end()
        expect(next(call, None), None)

    def empty_stream(self):
        expect(list(self.c.duplex(iter(()))), [])

    def cancel_after_begin(self):
        requests = Requests()
        call = self.c.method("stream_unary", "ClientStream").future(iter(requests), timeout=CALL_TIMEOUT_S)
        call.cancel()
        expect(call.code(), grpc.StatusCode.CANCELLED)
        requests.end()

    def cancel_after_first_response(self):
        requests = Requests()
        call = self.c.duplex(iter(requests))
        requests.put(self._ping(0))
        next(call)
        call.cancel()
        expect(error_of(lambda: next(call)).code(), grpc.StatusCode.CANCELLED)
        requests.end()

    def timeout_on_sleeping_server(self):
        requests = Requests()
        requests.put(self.m.DuplexRequest(parameters=[self.m.ResponseParameters(size=1, interval_ms=60_000)]))
        call = self.c.duplex(iter(requests), timeout=0.1)
        expect(error_of(lambda: next(call)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        requests.end()

    def custom_metadata(self):
        sent = ((ECHO_INITIAL, "test_initial_metadata_value"), (ECHO_TRAILING, b"\xab\xab\xab"))

        def check(call):
            expect(dict(call.initial_metadata())[ECHO_INITIAL], sent[0][1])
            expect(dict(call.trailing_metadata())[ECHO_TRAILING], sent[1][1])

        _, call = self.c.unary(self.m.UnaryRequest(response_size=1), metadata=sent)
        check(call)
        call = self.c.duplex(iter([self._ping(0)]), metadata=sent)
        list(call)
        check(call)

    def _status(self, message, calls):
        asked = self.m.EchoStatus(code=2, message=message)
        for call in calls:
            error = error_of(lambda: call(asked))
            expect((error.code(), error.details()), (grpc.StatusCode.UNKNOWN, message))

    def status_code_and_message(self):
        self._status("test status message", [
            lambda asked: self.c.unary(self.m.UnaryRequest(response_status=asked)),
            lambda asked: list(self.c.duplex(iter([self.m.DuplexRequest(response_status=asked)]))),
        ])

    def special_status_message(self):
        self._status(SPECIAL_MESSAGE, [lambda asked: self.c.unary(self.m.UnaryRequest(response_status=asked))])

    def unimplemented_method(self):
        error = error_of(lambda: self.c.unary(self.m.UnwrittenRequest(), name="Unwritten"))
        expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)

    def unimplemented_service(self):
        call = self.c.method("unary_unary", "Absent", service="fluster.interop.v1.AbsentService")
        expect(error_of(lambda: call(self.m.AbsentRequest(), timeout=CALL_TIMEOUT_S)).code(), grpc.StatusCode.UNIMPLEMENTED)

    def client_compressed_unary(self):
        def call(expected, **options):
            request = self.m.UnaryRequest(response_size=LARGE_RESPONSE, payload=self.m.zeros(271828), expect_compressed=expected)
            return self.c.unary(request, **options)

        expect(error_of(lambda: call(True)).code(), grpc.StatusCode.INVALID_ARGUMENT)
        call(True, compression=grpc.Compression.Gzip)
        call(True, compression=grpc.Compression.Deflate)
        call(False)

    def client_compressed_streaming(self):
        """The library's client compresses all messages of a stream or none."""
        for compression, expected in ((grpc.Compression.Gzip, True), (None, False)):
            requests = [self.m.ClientStreamRequest(payload=self.m.zeros(size), expect_compressed=expected) for size in (27182, 45904)]
            response = self.c.method("stream_unary", "ClientStream")(iter(requests), timeout=CALL_TIMEOUT_S, compression=compression)
            expect(response.aggregated_payload_size, 73086)

    def server_compressed_unary(self):
        for compressed in (True, False):
            response, _ = self.c.unary(
                self.m.UnaryRequest(response_size=LARGE_RESPONSE, response_compressed=compressed),
                metadata=((CASE_HEADER, "server_compressed_unary"),))
            expect(len(response.payload.body), LARGE_RESPONSE)

    def server_compressed_streaming(self):
        request = self.m.ServerStreamRequest(parameters=[
            self.m.ResponseParameters(size=31415, compressed=True), self.m.ResponseParameters(size=92653, compressed=False)])
        responses = self.c.method("unary_stream", "ServerStream")(
            request, timeout=CALL_TIMEOUT_S, metadata=((CASE_HEADER, "server_compressed_streaming"),))
        expect([len(response.payload.body) for response in responses], [31415, 92653])


class Target:
    """The server."""

    def __init__(self, messages):
        self.m = messages

    def handler(self):
        kinds = {
            "Empty": ("unary_unary", self.empty),
            "Unary": ("unary_unary", self.unary),
            "ClientStream": ("stream_unary", self.client_stream),
            "ServerStream": ("unary_stream", self.server_stream),
            "Duplex": ("stream_stream", self.duplex),
        }
        return grpc.method_handlers_generic_handler(SERVICE, {
            name: getattr(grpc, kind + "_rpc_method_handler")(
                behavior,
                request_deserializer=getattr(self.m, name + "Request").FromString,
                response_serializer=lambda message: message.SerializeToString())
            for name, (kind, behavior) in kinds.items()
        })

    @staticmethod
    def echo(context):
        for key, value in context.invocation_metadata():
            if key == ECHO_INITIAL:
                context.send_initial_metadata(((key, value),))
            elif key == ECHO_TRAILING:
                context.set_trailing_metadata(((key, value),))

    @staticmethod
    def abort_if_asked(request, context):
        if request.HasField("response_status"):
            code = next(code for code in grpc.StatusCode if code.value[0] == request.response_status.code)
            context.abort(code, request.response_status.message)

    @staticmethod
    def compress(context, compressed):
        if not compressed:
            context.disable_next_message_compression()

    def empty(self, request, context):
        return self.m.EmptyResponse()

    def unary(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        self.echo(context)
        self.abort_if_asked(request, context)
        self.compress(context, request.response_compressed)
        return self.m.UnaryResponse(payload=self.m.zeros(request.response_size))

    def client_stream(self, requests, context):
        return self.m.ClientStreamResponse(aggregated_payload_size=sum(len(request.payload.body) for request in requests))

    def server_stream(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        self.echo(context)
        for parameters in request.parameters:
            time.sleep(parameters.interval_ms / 1000)
            self.compress(context, parameters.compressed)
            yield self.m.ServerStreamResponse(payload=self.m.zeros(parameters.size))
        self.abort_if_asked(request, context)

    def duplex(self, requests, context):
        self.echo(context)
        for request in requests:
            for parameters in request.parameters:
                # Cut short when the client is gone: a pool of threads is all the server has.
                until = time.monotonic() + parameters.interval_ms / 1000
                while time.monotonic() < until and context.is_active():
                    time.sleep(0.01)
                yield self.m.DuplexResponse(payload=self.m.zeros(parameters.size))
            self.abort_if_asked(request, context)


def run_client(address, descriptor_set):
    cases = Cases(Client(address, descriptor_set))
    for name in [name for name in dir(cases) if not name.startswith("_") and name not in ("c", "m")]:
        try:
            getattr(cases, name)()
            print(json.dumps({"case": name, "error": None}), flush=True)
        except Exception:
            print(json.dumps({"case": name, "error": traceback.format_exc()}), flush=True)


def run_server(descriptor_set):
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        handlers=[Target(Messages(descriptor_set)).handler()],
        options=[("grpc.max_receive_message_length", -1)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"address": f"http://127.0.0.1:{port}"}), flush=True)
    sys.stdin.read()
    server.stop(grace=None)


if __name__ == "__main__":
    (run_server if sys.argv[1] == "server" else run_client)(*sys.argv[2:])
