//! How many user-space instructions do a TCP echo, a request and a connection cost, both ends on one
//! thread? Gates.

use bench_network::connect::Connect;
use bench_network::echo::Echo;
use bench_network::tcp::request::Request;

benches::counts! {
    network:
        connect = Connect [one_thread];
        echo = Echo [
            one_thread__1B one_thread__64B one_thread__1KiB one_thread__1500B one_thread__4KiB
            one_thread__16KiB one_thread__64KiB
        ];
        tcp = Request [request__one_thread__64B__4KiB request__one_thread__16KiB__64B];
}
