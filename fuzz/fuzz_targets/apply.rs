#![no_main]

use ippool_webhook_fuzz::manifests::Sequence;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sequence: Sequence| ippool_webhook_fuzz::apply::check(&sequence));
