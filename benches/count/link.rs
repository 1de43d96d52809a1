//! How many instructions does the model of a link cost, for a thousand packets: a delay alone, a rate
//! with its queue, bursts of loss with both? Gates.

use bench_network::workloads::LinkOffer;

benches::counts! {
    link:
        offer = LinkOffer [regions_70 lte lossy_mobile];
}
