// The peer that stands on @grpc/grpc-js.
//   node grpc-js.mjs client ADDRESS PROTO_ROOT
//   node grpc-js.mjs server PROTO_ROOT

import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import * as given from './cases.mjs';

const { status } = grpc;

function load(protoRoot) {
  const definition = protoLoader.loadSync(path.join(protoRoot, 'fluster/interop/v1/interop.proto'), {
    keepCase: true,
    defaults: true,
    includeDirs: [protoRoot],
  });
  return grpc.loadPackageDefinition(definition).fluster.interop.v1;
}

const zeros = (size) => ({ body: Buffer.alloc(size) });

function metadataOf(entries) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(entries)) {
    metadata.set(name, value);
  }
  return metadata;
}

// One unary call: its response, its headers and its trailers, or the error.
function unary(client, method, request, metadata = new grpc.Metadata(), options = {}) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = client[method](request, metadata, options, (error, response) => {
      if (error) {
        reject(error);
      } else {
        seen.response = response;
      }
    });
    call.on('metadata', (headers) => { seen.headers = headers; });
    call.on('status', (end) => { seen.trailers = end.metadata; setImmediate(() => resolve(seen)); });
  });
}

async function codeOf(promise) {
  try {
    await promise;
    return status.OK;
  } catch (error) {
    return error.code;
  }
}

// All responses of a stream; rejects with its error.
async function responsesOf(call) {
  const responses = [];
  for await (const response of call) {
    responses.push(response);
  }
  return responses;
}

function clientCases(address, protoRoot) {
  const v1 = load(protoRoot);
  const target = address.replace('http://', '');
  const connect = (options = {}) => new v1.InteropService(target, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    ...options,
  });
  const client = connect();
  const gzip = connect({ 'grpc.default_compression_algorithm': 2 });
  const NO_COMPRESS = 2; // WriteFlags.NoCompress

  return {
    async empty_unary() {
      await unary(client, 'Empty', {});
    },
    async large_unary() {
      const { response } = await unary(client, 'Unary', { response_size: given.LARGE_RESPONSE, payload: zeros(given.LARGE_REQUEST) });
      assert.equal(response.payload.body.length, given.LARGE_RESPONSE);
    },
    async client_streaming() {
      const sum = await new Promise((resolve, reject) => {
        const call = client.ClientStream((error, response) => (error ? reject(error) : resolve(response.aggregated_payload_size)));
        given.STREAM_REQUESTS.forEach((size) => call.write({ payload: zeros(size) }));
        call.end();
      });
      assert.equal(sum, 74922);
    },
    async server_streaming() {
      const responses = await responsesOf(client.ServerStream({ parameters: given.STREAM_RESPONSES.map((size) => ({ size })) }));
      assert.deepEqual(responses.map((response) => response.payload.body.length), given.STREAM_RESPONSES);
    },
    async ping_pong() {
      const call = client.Duplex();
      for (let i = 0; i < given.STREAM_REQUESTS.length; i++) {
        const answer = once(call, 'data');
        call.write({ parameters: [{ size: given.STREAM_RESPONSES[i] }], payload: zeros(given.STREAM_REQUESTS[i]) });
        const [response] = await answer;
        assert.equal(response.payload.body.length, given.STREAM_RESPONSES[i]);
      }
      const end = once(call, 'status');
      call.end();
      assert.equal((await end)[0].code, status.OK);
    },
    async empty_stream() {
      const call = client.Duplex();
      call.end();
      assert.deepEqual(await responsesOf(call), []);
    },
    async cancel_after_begin() {
      const code = await new Promise((resolve) => {
        const call = client.ClientStream((error) => resolve(error?.code));
        call.cancel();
      });
      assert.equal(code, status.CANCELLED);
    },
    async cancel_after_first_response() {
      const call = client.Duplex();
      const answer = once(call, 'data');
      call.write({ parameters: [{ size: given.STREAM_RESPONSES[0] }], payload: zeros(given.STREAM_REQUESTS[0]) });
      await answer;
      const error = once(call, 'error');
      call.cancel();
      assert.equal((await error)[0].code, status.CANCELLED);
    },
    async timeout_on_sleeping_server() {
      const call = client.Duplex({ deadline: Date.now() + 100 });
      const error = once(call, 'error');
      call.on('data', () => assert.fail('a response came in time'));
      call.write({ parameters: [{ size: 1, interval_ms: 60_000 }] });
      assert.equal((await error)[0].code, status.DEADLINE_EXCEEDED);
    },
    async custom_metadata() {
      const sent = metadataOf({ [given.ECHO_INITIAL]: given.INITIAL_VALUE, [given.ECHO_TRAILING]: given.TRAILING_VALUE });
      const check = (headers, trailers) => {
        assert.deepEqual(headers.get(given.ECHO_INITIAL), [given.INITIAL_VALUE]);
        assert.deepEqual(trailers.get(given.ECHO_TRAILING), [given.TRAILING_VALUE]);
      };
      const { headers, trailers } = await unary(client, 'Unary', { response_size: 1 }, sent);
      check(headers, trailers);

      const call = client.Duplex(sent);
      const began = once(call, 'metadata');
      const end = once(call, 'status');
      call.write({ parameters: [{ size: 1 }] });
      call.end();
      await responsesOf(call);
      check((await began)[0], (await end)[0].metadata);
    },
    async status_code_and_message() {
      const wanted = { code: 2, message: 'test status message' };
      await assert.rejects(unary(client, 'Unary', { response_status: wanted }), { code: wanted.code, details: wanted.message });
      const call = client.Duplex();
      call.write({ response_status: wanted });
      call.end();
      await assert.rejects(responsesOf(call), { code: wanted.code, details: wanted.message });
    },
    async special_status_message() {
      const wanted = { code: 2, message: given.SPECIAL_MESSAGE };
      await assert.rejects(unary(client, 'Unary', { response_status: wanted }), { code: wanted.code, details: wanted.message });
    },
    async unimplemented_method() {
      assert.equal(await codeOf(unary(client, 'Unwritten', {})), status.UNIMPLEMENTED);
    },
    async unimplemented_service() {
      const absent = new v1.AbsentService(target, grpc.credentials.createInsecure());
      assert.equal(await codeOf(unary(absent, 'Absent', {})), status.UNIMPLEMENTED);
    },
    async client_compressed_unary() {
      const request = { response_size: given.LARGE_RESPONSE, payload: zeros(given.LARGE_REQUEST) };
      assert.equal(await codeOf(unary(client, 'Unary', { ...request, expect_compressed: true })), status.INVALID_ARGUMENT);
      await unary(gzip, 'Unary', { ...request, expect_compressed: true });
      await unary(client, 'Unary', { ...request, expect_compressed: false });
    },
    async client_compressed_streaming() {
      const sum = await new Promise((resolve, reject) => {
        const call = gzip.ClientStream((error, response) => (error ? reject(error) : resolve(response.aggregated_payload_size)));
        call.write({ payload: zeros(27182), expect_compressed: true });
        call.write({ payload: zeros(45904), expect_compressed: false }, NO_COMPRESS);
        call.end();
      });
      assert.equal(sum, 73086);
    },
    async server_compressed_unary(name) {
      for (const response_compressed of [true, false]) {
        const { response } = await unary(
          client, 'Unary', { response_size: given.LARGE_RESPONSE, response_compressed }, metadataOf({ [given.CASE_HEADER]: name }));
        assert.equal(response.payload.body.length, given.LARGE_RESPONSE);
      }
    },
    async server_compressed_streaming(name) {
      const request = { parameters: [{ size: 31415, compressed: true }, { size: 92653, compressed: false }] };
      const responses = await responsesOf(client.ServerStream(request, metadataOf({ [given.CASE_HEADER]: name })));
      assert.deepEqual(responses.map((response) => response.payload.body.length), [31415, 92653]);
    },
  };
}

function errorOf(asked) {
  return Object.assign(new Error(asked.message), { code: asked.code, details: asked.message });
}

// Sends the echoed header and returns the echoed trailers.
function echo(call) {
  const initial = call.metadata.get(given.ECHO_INITIAL);
  if (initial.length > 0) {
    call.sendMetadata(metadataOf({ [given.ECHO_INITIAL]: initial[0] }));
  }
  const trailing = call.metadata.get(given.ECHO_TRAILING);
  return trailing.length > 0 ? metadataOf({ [given.ECHO_TRAILING]: trailing[0] }) : new grpc.Metadata();
}

async function sendAll(call, parameters) {
  for (const { size, interval_ms } of parameters) {
    await given.sleep(interval_ms);
    if (call.cancelled) {
      return;
    }
    call.write({ payload: zeros(size) });
  }
}

function serve(protoRoot) {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(load(protoRoot).InteropService.service, {
    Empty: (call, reply) => reply(null, {}),
    Unary(call, reply) {
      const trailers = echo(call);
      const asked = call.request.response_status;
      reply(asked ? errorOf(asked) : null, { payload: zeros(call.request.response_size) }, trailers);
    },
    ClientStream(call, reply) {
      let sum = 0;
      call.on('data', (request) => { sum += request.payload.body.length; });
      call.on('end', () => reply(null, { aggregated_payload_size: sum }));
      call.on('error', () => {});
    },
    async ServerStream(call) {
      const trailers = echo(call);
      await sendAll(call, call.request.parameters);
      call.end(trailers);
    },
    Duplex(call) {
      const trailers = echo(call);
      let last = Promise.resolve();
      call.on('data', (request) => {
        last = last.then(async () => {
          await sendAll(call, request.parameters);
          if (request.response_status) {
            call.emit('error', errorOf(request.response_status));
          }
        });
      });
      call.on('end', () => last.then(() => call.end(trailers)));
      call.on('error', () => {});
    },
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    assert.ifError(error);
    given.serveUntilParentIsGone(`http://127.0.0.1:${port}`, () => server.forceShutdown());
  });
}

const [role, ...args] = process.argv.slice(2);
if (role === 'server') {
  serve(...args);
} else {
  await given.runCases(clientCases(...args));
  process.exit(0);
}
