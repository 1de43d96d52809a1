//! How many user-space instructions does a TCP echo cost, both ends on one thread? Gates.

use bench_network::echo::Echo;

benches::counts! {
    network:
        echo = Echo [one_thread__64B one_thread__1KiB one_thread__16KiB];
}
