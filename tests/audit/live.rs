//! `audit` of a live cluster, for which an apiserver in this process stands in.
