//! The runner that gungraun's benches call. Built beside them, so that `cargo bench` needs no
//! installed runner and its version always matches the library's.

use gungraun_runner::error::Error;

fn main() {
    if let Err(error) = gungraun_runner::runner::run::run() {
        let code = match error.downcast_ref::<Error>() {
            Some(Error::RegressionError(_)) => 3,
            _ => {
                eprintln!("gungraun-runner: {error:?}");
                1
            }
        };
        std::process::exit(code)
    }
}
