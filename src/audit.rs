//! `audit`: what is wrong in a cluster today.

pub mod report;
