//! Constant writes during a fault, and which of them failed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::plane::Plane;
use crate::process::awaited;
use crate::writer::{Ends, Writer};

/// Writers at once.
pub const WRITERS: usize = 4;

/// Writes under way.
#[derive(Default)]
pub struct Load {
    over: AtomicBool,
    written: AtomicUsize,
    failures: Mutex<Vec<Failure>>,
}

/// A write without the expected result.
#[derive(Debug)]
pub struct Failure {
    pub began: Instant,
    pub ended: Instant,
    #[allow(dead_code, reason = "read where an assertion prints it")]
    pub what: String,
}

/// All writes of a test.
pub struct Outcome {
    pub written: usize,
    pub failures: Vec<Failure>,
}

/// Has pools written while `fault` runs, from the pool `first` on.
pub fn under_load<T>(plane: &Plane, first: usize, fault: impl FnOnce(&Load) -> T) -> (T, Outcome) {
    let load = Load::default();
    let result = thread::scope(|scope| {
        let ends = Ends(&load.over);
        for number in first..first + WRITERS {
            let load = &load;
            scope.spawn(move || load.write(Writer::begin(plane, number)));
        }
        let result = fault(&load);
        drop(ends);
        result
    });
    let failures = load.failures.into_inner().unwrap();
    (result, Outcome { written: load.written.into_inner(), failures })
}

impl Load {
    /// Waits for `count` more writes.
    pub fn more(&self, count: usize) {
        let wanted = self.written.load(Ordering::SeqCst) + count;
        awaited("pools to be written", || (self.written.load(Ordering::SeqCst) >= wanted).then_some(()));
    }

    fn write(&self, mut writer: Writer<'_>) {
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            if let Err(what) = writer.write() {
                self.failures.lock().unwrap().push(Failure { began, ended: Instant::now(), what });
            }
            self.written.fetch_add(1, Ordering::SeqCst);
        }
        writer.check();
    }
}
