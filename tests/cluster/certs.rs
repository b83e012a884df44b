//! The certificate that looks after itself, in a control plane: installed, renewed under load, spoilt, and asked
//! for in turn by a webhook that answers only the apiserver.

mod broken;
mod caller;
mod clients;
pub mod install;
mod refused;
mod rotation;
mod set;
pub mod stage;
mod volume;

/// The name the apiserver calls, and the serving certificate is for.
pub const NAME: &str = "ippool-webhook.ippool-webhook.svc";
