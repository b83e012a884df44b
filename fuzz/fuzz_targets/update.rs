#![no_main]

use ippool_webhook_fuzz::pair::Pair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pair: Pair| ippool_webhook_fuzz::update::check(&pair));
