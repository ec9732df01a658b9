// What every peer's client runs, and how it reports: one line of JSON per case.

export const LARGE_REQUEST = 271828;
export const LARGE_RESPONSE = 314159;
export const STREAM_REQUESTS = [27182, 8, 1828, 45904];
export const STREAM_RESPONSES = [31415, 9, 2653, 58979];
export const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';
export const INITIAL_VALUE = 'test_initial_metadata_value';
export const TRAILING_VALUE = Buffer.from([0xab, 0xab, 0xab]);
// Names a case in the request headers, so that the server can tell what it saw on the wire.
export const CASE_HEADER = 'x-interop-case';

const CASE_TIMEOUT_MS = 30_000;

export async function runCases(cases) {
  for (const [name, run] of Object.entries(cases)) {
    let timer;
    try {
      const timeout = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error('the case did not end')), CASE_TIMEOUT_MS);
      });
      await Promise.race([run(name), timeout]);
      console.log(JSON.stringify({ case: name, error: null }));
    } catch (error) {
      console.log(JSON.stringify({ case: name, error: `${error.stack ?? error}` }));
    } finally {
      clearTimeout(timer);
    }
  }
}

// A server lives as long as its standard input.
export function serveUntilParentIsGone(address, close) {
  console.log(JSON.stringify({ address }));
  process.stdin.resume();
  process.stdin.on('end', () => {
    close();
    process.exit(0);
  });
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
