//! A request of one size and a response of another, on a connection that stays open: what most
//! services do. One operation: the client sends the request, the server reads all of it and sends
//! the response, the client reads all of that.
//!
//! It is an echo whose answer is another payload, so both sizes cross loopback once. The server knows
//! its response beforehand: what a service would compute is not in the number.

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};
use bytes::Bytes;

use crate::echo::{Answer, Echo};
use crate::layout::Exchange;

const REQUEST_SEED: u64 = 42;
/// Another than the request's, so that a request sent back is no response.
const RESPONSE_SEED: u64 = 43;

/// One request and its response; `network/tcp/request/pinned/64B/16KiB`.
#[derive(Debug)]
pub struct Request {
    exchange: Echo,
    cell: Exchange,
}

/// A response that is known beforehand.
struct Ready(Bytes);

impl Answer for Ready {
    fn answer<'a>(&'a self, _: &'a mut [u8]) -> &'a [u8] {
        &self.0
    }
}

impl Workload for Request {
    const NAME: &'static str = "network/tcp";
    type Parameter = Exchange;

    fn set_up(cell: &Exchange) -> Result<Self, Failure> {
        let request = Payload::seeded(REQUEST_SEED, cell.request).to_bytes().to_vec();
        let response = Payload::seeded(RESPONSE_SEED, cell.response);
        let ready = Ready(response.to_bytes());
        let exchange = Echo::exchanging(cell.layout, request, response, ready)?;
        Ok(Self { exchange, cell: *cell })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.cell.request.bytes() + self.cell.response.bytes()))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.exchange.prepare()
    }

    fn run(&mut self) {
        self.exchange.run();
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.exchange.check()
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.exchange.dimensions();
        dimensions.retain(|(name, _)| *name != "size");
        dimensions.push(("request", self.cell.request.to_string()));
        dimensions.push(("response", self.cell.response.to_string()));
        dimensions
    }
}

#[cfg(test)]
mod tests {
    use bench_core::workload::{conforms, id, run_once};

    use super::*;
    use crate::layout::Layout;

    fn request(cell: &str) -> String {
        format!("request/{cell}")
    }

    #[test]
    fn every_layout_gets_the_response_and_not_the_request() {
        for text in ["pinned/64B/16KiB", "one_thread/64B/16KiB", "one_thread/4KiB/1B"].map(request)
        {
            let cell: Exchange = text.parse().expect(&text);
            conforms::<Request>(&cell).unwrap_or_else(|error| panic!("{text}: {error}"));
            let request = run_once::<Request>(&cell).expect("a response");
            let all = cell.request.bytes() + cell.response.bytes();
            assert_eq!(request.bytes(), Some(ByteSize::new(all)));
            assert!(request.dimensions().contains(&("response", cell.response.to_string())));
            assert_eq!(id::<Request>(&cell), format!("network/tcp/{text}"));
        }
    }

    #[test]
    fn a_server_that_sends_the_request_back_is_caught() {
        let size = ByteSize::kib(1);
        let request = Payload::seeded(REQUEST_SEED, size).to_bytes().to_vec();
        let response = Payload::seeded(RESPONSE_SEED, size);
        let echoed = |_: &mut [u8]| ();
        let error = Echo::exchanging(Layout::Pinned, request, response, echoed);
        assert!(error.expect_err("no response").to_string().contains("offset 0 "));
    }

    #[test]
    fn nothing_to_send_or_to_receive_is_refused() {
        for text in ["pinned/0B/1B", "one_thread/1B/0B"].map(request) {
            let error = Request::set_up(&text.parse().expect(&text)).expect_err(&text).to_string();
            assert!(error.contains("0 bytes"), "{error}");
        }
    }
}
