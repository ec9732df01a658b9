// The peer that stands on @connectrpc/connect-node.
//   node connect.mjs client ADDRESS DESCRIPTOR_SET PROTOCOL      (PROTOCOL: connect, connect-json, connect-http1, grpc)
//   node connect.mjs server DESCRIPTOR_SET

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, encodeBinaryHeader } from '@connectrpc/connect';
import { compressionGzip, connectNodeAdapter, createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import * as given from './cases.mjs';

const zeros = (size) => ({ body: new Uint8Array(size) });

function load(descriptorSet) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptorSet)));
  return {
    interop: registry.getService('fluster.interop.v1.InteropService'),
    absent: registry.getService('fluster.interop.v1.AbsentService'),
  };
}

function transportOf(baseUrl, protocol, more = {}) {
  const options = { baseUrl, httpVersion: '2', ...more };
  switch (protocol) {
    case 'connect': return createConnectTransport({ ...options, useBinaryFormat: true });
    case 'connect-json': return createConnectTransport({ ...options, useBinaryFormat: false });
    case 'connect-http1': return createConnectTransport({ ...options, useBinaryFormat: true, httpVersion: '1.1' });
    case 'grpc': return createGrpcTransport(options);
    default: throw new Error(`unknown protocol ${protocol}`);
  }
}

// The requests of a stream, sent as they are pushed.
function requests() {
  const queue = [];
  let wake = () => {};
  return {
    push(request) { queue.push(request); wake(); },
    end() { queue.push(null); wake(); },
    async* [Symbol.asyncIterator]() {
      for (;;) {
        while (queue.length === 0) {
          await new Promise((resolve) => { wake = resolve; });
        }
        const request = queue.shift();
        if (request === null) {
          return;
        }
        yield request;
      }
    },
  };
}

async function* from(items) {
  yield* items;
}

async function all(stream) {
  const items = [];
  for await (const item of stream) {
    items.push(item);
  }
  return items;
}

const withCode = (code, message) => (error) => {
  assert.equal(ConnectError.from(error).code, code);
  if (message !== undefined) {
    assert.equal(ConnectError.from(error).rawMessage, message);
  }
  return true;
};

function clientCases(address, descriptorSet, protocol) {
  const services = load(descriptorSet);
  const client = createClient(services.interop, transportOf(address, protocol));
  const gzip = createClient(services.interop, transportOf(address, protocol, { sendCompression: compressionGzip, compressMinBytes: 0 }));
  const absent = createClient(services.absent, transportOf(address, protocol));

  const cases = {
    async empty_unary() {
      await client.empty({});
    },
    async large_unary() {
      const response = await client.unary({ responseSize: given.LARGE_RESPONSE, payload: zeros(given.LARGE_REQUEST) });
      assert.equal(response.payload.body.length, given.LARGE_RESPONSE);
    },
    async client_streaming() {
      const response = await client.clientStream(from(given.STREAM_REQUESTS.map((size) => ({ payload: zeros(size) }))));
      assert.equal(response.aggregatedPayloadSize, 74922);
    },
    async server_streaming() {
      const responses = await all(client.serverStream({ parameters: given.STREAM_RESPONSES.map((size) => ({ size })) }));
      assert.deepEqual(responses.map((response) => response.payload.body.length), given.STREAM_RESPONSES);
    },
    async ping_pong() {
      const input = requests();
      const output = client.duplex(input)[Symbol.asyncIterator]();
      for (let i = 0; i < given.STREAM_REQUESTS.length; i++) {
        input.push({ parameters: [{ size: given.STREAM_RESPONSES[i] }], payload: zeros(given.STREAM_REQUESTS[i]) });
        const { value } = await output.next();
        assert.equal(value.payload.body.length, given.STREAM_RESPONSES[i]);
      }
      input.end();
      assert.equal((await output.next()).done, true);
    },
    async empty_stream() {
      assert.deepEqual(await all(client.duplex(from([]))), []);
    },
    async cancel_after_begin() {
      const abort = new AbortController();
      const call = client.clientStream(requests(), { signal: abort.signal });
      abort.abort();
      await assert.rejects(call, withCode(Code.Canceled));
    },
    async cancel_after_first_response() {
      const abort = new AbortController();
      const input = requests();
      const output = client.duplex(input, { signal: abort.signal })[Symbol.asyncIterator]();
      input.push({ parameters: [{ size: given.STREAM_RESPONSES[0] }], payload: zeros(given.STREAM_REQUESTS[0]) });
      await output.next();
      abort.abort();
      await assert.rejects(output.next(), withCode(Code.Canceled));
    },
    async timeout_on_sleeping_server() {
      const stream = client.serverStream({ parameters: [{ size: 1, intervalMs: 60_000 }] }, { timeoutMs: 100 });
      await assert.rejects(all(stream), withCode(Code.DeadlineExceeded));
    },
    async custom_metadata() {
      const seen = {};
      const options = {
        headers: { [given.ECHO_INITIAL]: given.INITIAL_VALUE, [given.ECHO_TRAILING]: encodeBinaryHeader(given.TRAILING_VALUE) },
        onHeader: (headers) => { seen.headers = headers; },
        onTrailer: (trailers) => { seen.trailers = trailers; },
      };
      const check = () => {
        assert.equal(seen.headers.get(given.ECHO_INITIAL), given.INITIAL_VALUE);
        assert.deepEqual(Buffer.from(seen.trailers.get(given.ECHO_TRAILING), 'base64'), given.TRAILING_VALUE);
      };
      await client.unary({ responseSize: 1 }, options);
      check();
      await all(client.serverStream({ parameters: [{ size: 1 }] }, options));
      check();
    },
    async status_code_and_message() {
      const responseStatus = { code: 2, message: 'test status message' };
      await assert.rejects(client.unary({ responseStatus }), withCode(Code.Unknown, responseStatus.message));
      await assert.rejects(all(client.serverStream({ responseStatus })), withCode(Code.Unknown, responseStatus.message));
    },
    async special_status_message() {
      const responseStatus = { code: 2, message: given.SPECIAL_MESSAGE };
      await assert.rejects(client.unary({ responseStatus }), withCode(Code.Unknown, responseStatus.message));
    },
    async unimplemented_method() {
      await assert.rejects(client.unwritten({}), withCode(Code.Unimplemented));
    },
    async unimplemented_service() {
      await assert.rejects(absent.absent({}), withCode(Code.Unimplemented));
    },
    async client_compressed_unary() {
      const request = { responseSize: given.LARGE_RESPONSE, payload: zeros(given.LARGE_REQUEST) };
      await assert.rejects(client.unary({ ...request, expectCompressed: true }), withCode(Code.InvalidArgument));
      await gzip.unary({ ...request, expectCompressed: true });
      await client.unary({ ...request, expectCompressed: false });
    },
    // The library compresses all messages of a stream or none.
    async client_compressed_streaming() {
      const sizes = [27182, 45904];
      for (const [sender, expectCompressed] of [[gzip, true], [client, false]]) {
        const response = await sender.clientStream(from(sizes.map((size) => ({ payload: zeros(size), expectCompressed }))));
        assert.equal(response.aggregatedPayloadSize, 73086);
      }
    },
    async server_compressed_unary(name) {
      for (const responseCompressed of [true, false]) {
        const response = await client.unary({ responseSize: given.LARGE_RESPONSE, responseCompressed }, { headers: { [given.CASE_HEADER]: name } });
        assert.equal(response.payload.body.length, given.LARGE_RESPONSE);
      }
    },
    async server_compressed_streaming(name) {
      const request = { parameters: [{ size: 31415, compressed: true }, { size: 92653, compressed: false }] };
      const responses = await all(client.serverStream(request, { headers: { [given.CASE_HEADER]: name } }));
      assert.deepEqual(responses.map((response) => response.payload.body.length), [31415, 92653]);
    },
  };
  if (protocol === 'connect-http1') {
    // A response that comes while the request is being sent needs HTTP/2.
    delete cases.ping_pong;
    delete cases.cancel_after_first_response;
  }
  return cases;
}

function throwIfAsked(asked) {
  if (asked) {
    throw new ConnectError(asked.message, asked.code);
  }
}

function echo(context) {
  const initial = context.requestHeader.get(given.ECHO_INITIAL);
  if (initial !== null) {
    context.responseHeader.set(given.ECHO_INITIAL, initial);
  }
  const trailing = context.requestHeader.get(given.ECHO_TRAILING);
  if (trailing !== null) {
    context.responseTrailer.set(given.ECHO_TRAILING, trailing);
  }
}

async function* sendAll(parameters) {
  for (const { size, intervalMs } of parameters) {
    await given.sleep(intervalMs);
    yield { payload: zeros(size) };
  }
}

function serve(descriptorSet) {
  const routes = (router) => router.service(load(descriptorSet).interop, {
    empty: () => ({}),
    unary(request, context) {
      echo(context);
      throwIfAsked(request.responseStatus);
      return { payload: zeros(request.responseSize) };
    },
    async clientStream(stream) {
      let sum = 0;
      for await (const request of stream) {
        sum += request.payload.body.length;
      }
      return { aggregatedPayloadSize: sum };
    },
    async* serverStream(request, context) {
      echo(context);
      yield* sendAll(request.parameters);
      throwIfAsked(request.responseStatus);
    },
    async* duplex(stream, context) {
      echo(context);
      for await (const request of stream) {
        yield* sendAll(request.parameters);
        throwIfAsked(request.responseStatus);
      }
    },
  });
  const server = http2.createServer(connectNodeAdapter({ routes, compressMinBytes: 1024 }));
  server.listen(0, '127.0.0.1', () =>
    given.serveUntilParentIsGone(`http://127.0.0.1:${server.address().port}`, () => server.close()));
}

const [role, ...args] = process.argv.slice(2);
if (role === 'server') {
  serve(...args);
} else {
  await given.runCases(clientCases(...args));
  process.exit(0);
}
