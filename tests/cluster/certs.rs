//! The certificate that looks after itself, in a control plane: installed, renewed under load, spoilt, and asked
//! for in turn by a webhook that answers the apiserver alone.

mod broken;
mod caller;
mod clients;
mod install;
mod proxy;
mod refused;
mod rotation;
mod set;
mod stage;
mod volume;
mod writer;

/// The name the apiserver calls, and the serving certificate is for.
const NAME: &str = "ippool-webhook.ippool-webhook.svc";
