//! The configuration of a CNI plugin, as whereabouts 0.9 reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{Config, Ipam, RangeConfig};
use crate::kinds::ippool::{Range, cidr::to_bits};
use crate::text::Quoted;

const PLUGIN: &str = "whereabouts";

/// Why a configuration cannot be read.
type Unread = String;

/// Reads the configuration of the attachment called `name`, of one plugin or of a chain.
pub fn read(config: &str, name: &str) -> Ipam {
    let config = match serde_json::from_str::<Value>(config) {
        Ok(Value::Object(config)) => config,
        Ok(_) => return Ipam::Unknown("its configuration is not an object".to_owned()),
        Err(error) => return Ipam::Unknown(format!("its configuration is not JSON: {error}")),
    };
    // Multus names a configuration without a name after its attachment.
    let name = text(&config, "name").unwrap_or(name);
    let plugins: Vec<_> = match member(&config, "plugins") {
        Some(Value::Array(plugins)) => plugins.iter().filter_map(Value::as_object).collect(),
        _ => vec![&config],
    };
    let ipams: Vec<_> = plugins.iter().filter_map(|plugin| member(plugin, "ipam")?.as_object()).collect();
    let ours: Vec<_> = ipams.into_iter().filter(|ipam| text(ipam, "type") == Some(PLUGIN)).collect();
    if ours.is_empty() {
        return if uses_elsewhere(&Value::Object(config)) {
            Ipam::Unknown("it uses whereabouts in a part that only its plugin knows".to_owned())
        } else {
            Ipam::Other
        };
    }
    match ours.iter().map(|ipam| read_ipam(ipam, name)).collect() {
        Ok(configs) => Ipam::Whereabouts(configs),
        Err(why) => Ipam::Unknown(why),
    }
}

/// Whether any part has the type of whereabouts, because a plugin can pass a part of its configuration to another.
fn uses_elsewhere(value: &Value) -> bool {
    match value {
        Value::Object(map) => text(map, "type") == Some(PLUGIN) || map.values().any(uses_elsewhere),
        Value::Array(values) => values.iter().any(uses_elsewhere),
        _ => false,
    }
}

fn read_ipam(ipam: &Map<String, Value>, name: &str) -> Result<Config, Unread> {
    let network = text(ipam, "network_name").unwrap_or_default().to_owned();
    let slice_size = text(ipam, "node_slice_size").filter(|size| !size.is_empty());
    let node_slices = slice_size.map(|_| if network.is_empty() { name.to_owned() } else { network.clone() });
    let own = text(ipam, "range").filter(|range| !range.is_empty()).map(|_| ipam);
    let others = array(ipam, "ipRanges")?.iter().filter_map(Value::as_object);
    let ranges = own.into_iter().chain(others).map(read_range).collect::<Result<Vec<_>, _>>()?;
    if ranges.is_empty() {
        return Err("its range is in a file on the nodes".to_owned());
    }
    let reserves = match member(ipam, "enable_overlapping_ranges") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(reserves)) => *reserves,
        Some(_) => return Err("its enable_overlapping_ranges is not true or false".to_owned()),
    };
    let addresses = array(ipam, "addresses")?.iter().filter_map(Value::as_object);
    let addresses =
        addresses.filter_map(|it| parse_address(text(it, "address")?.split('/').next()?)).collect();
    Ok(Config { network, node_slices, reserves, ranges, addresses })
}

fn read_range(config: &Map<String, Value>) -> Result<RangeConfig, Unread> {
    let written = text(config, "range").unwrap_or_default();
    let address = |key| text(config, key).and_then(parse_address);
    let unreadable = || format!("its range {} is not a CIDR", Quoted(written));
    // `start-end/length` is a range as well.
    let (range, start, end) = match written.split_once('-') {
        Some((start, range)) => {
            let range = parse_range(range).ok_or_else(unreadable)?;
            (range, Some(parse_address(start).ok_or_else(unreadable)?), Some(range.base()))
        }
        None => (parse_range(written).ok_or_else(unreadable)?, address("range_start"), address("range_end")),
    };
    let excluded = array(config, "exclude")?.iter().map(|it| parse_excluded(it.as_str()?)).collect();
    let (first, last) = handed_out(&range, start, end).unzip();
    Ok(RangeConfig { network: range.network(), first, last, excluded })
}

/// The first and the last address that whereabouts hands out. It ignores a start or an end outside of the usable addresses.
fn handed_out(range: &Range, start: Option<IpAddr>, end: Option<IpAddr>) -> Option<(IpAddr, IpAddr)> {
    let network = range.network();
    if !range.has_usable_addresses() || range.is_mapped_too_wide() {
        return None;
    }
    let beside = |address: IpAddr, up: bool| {
        let bits = if up { to_bits(address) + 1 } else { to_bits(address) - 1 };
        match address {
            IpAddr::V4(_) => u32::try_from(bits).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            IpAddr::V6(_) => Some(IpAddr::V6(Ipv6Addr::from_bits(bits))),
        }
    };
    let (mut first, mut last) = (beside(network.network(), true)?, beside(network.broadcast(), false)?);
    first = start.filter(|start| (first..=last).contains(start)).unwrap_or(first);
    last = end.filter(|end| (first..=last).contains(end)).unwrap_or(last);
    Some((first, last))
}

/// A CIDR or an address, as Go's current parser reads them.
fn parse_excluded(text: &str) -> Option<IpNet> {
    if let Ok(range) = Range::parse(text) {
        return Some(range.network());
    }
    Some(IpNet::from(text.parse::<IpAddr>().ok()?.to_canonical()))
}

/// An address as Kubernetes' lenient parser reads it: octets may have leading zeros.
fn parse_address(text: &str) -> Option<IpAddr> {
    Some(without_leading_zeros(text).parse::<IpAddr>().ok()?.to_canonical())
}

fn parse_range(text: &str) -> Option<Range> {
    Range::parse(&without_leading_zeros(text)).ok()
}

fn without_leading_zeros(text: &str) -> String {
    if text.contains(':') {
        return text.to_owned();
    }
    let (address, length) = text.split_once('/').map_or((text, None), |(address, it)| (address, Some(it)));
    let octet = |octet: &str| match octet.trim_start_matches('0') {
        "" if !octet.is_empty() => "0".to_owned(),
        digits => digits.to_owned(),
    };
    let address = address.split('.').map(octet).collect::<Vec<_>>().join(".");
    length.map_or(address.clone(), |length| format!("{address}/{length}"))
}

/// A member, as Go finds it: in upper or lower case, and the exact name first.
fn member<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    map.get(key).or_else(|| map.iter().find(|(other, _)| other.eq_ignore_ascii_case(key)).map(|(_, it)| it))
}

fn text<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    member(map, key)?.as_str()
}

fn array<'v>(map: &'v Map<String, Value>, key: &str) -> Result<&'v [Value], Unread> {
    match member(map, key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(format!("its {key} is not a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(ipam: &str) -> Config {
        let config = format!(r#"{{"cniVersion":"1.0.0","name":"n","type":"macvlan","ipam":{ipam}}}"#);
        match read(&config, "nad") {
            Ipam::Whereabouts(configs) => configs[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    fn handed_out(ipam: &str) -> String {
        let range = &config(ipam).ranges[0];
        format!("{} {} {}", range.network, range.first.unwrap(), range.last.unwrap())
    }

    #[test]
    fn a_range_hands_out_what_is_between_its_edges() {
        assert_eq!(
            handed_out(r#"{"type":"whereabouts","range":"10.0.9.5/24"}"#),
            "10.0.9.0/24 10.0.9.1 10.0.9.254"
        );
        assert_eq!(
            handed_out(r#"{"type":"whereabouts","range":"fd00::/64"}"#),
            "fd00::/64 fd00::1 fd00::ffff:ffff:ffff:fffe"
        );
    }

    #[test]
    fn a_start_and_an_end_count_where_they_are_usable() {
        let ipam = |start: &str, end: &str| {
            handed_out(&format!(
                r#"{{"type":"whereabouts","range":"010.0.9.0/24","range_start":"{start}","range_end":"{end}"}}"#
            ))
        };
        assert_eq!(ipam("10.0.9.010", "10.0.9.20"), "10.0.9.0/24 10.0.9.10 10.0.9.20");
        assert_eq!(ipam("10.0.8.1", "10.0.10.1"), "10.0.9.0/24 10.0.9.1 10.0.9.254");
        assert_eq!(ipam("10.0.9.20", "10.0.9.10"), "10.0.9.0/24 10.0.9.20 10.0.9.254");
        assert_eq!(
            handed_out(r#"{"type":"whereabouts","range":"10.0.9.3-10.0.9.9/24"}"#),
            "10.0.9.0/24 10.0.9.3 10.0.9.9"
        );
    }

    #[test]
    fn keys_are_found_in_any_case_as_go_finds_them() {
        let config = config(
            r#"{"Type":"whereabouts","IPRanges":[{"Range":"10.0.9.0/24","Exclude":["10.0.9.7","10.0.9.8/30"]}]}"#,
        );
        let excluded = ["10.0.9.7/32", "10.0.9.8/30"].map(|it| it.parse().unwrap()).to_vec();
        assert_eq!(config.ranges[0].excluded, Some(excluded));
        assert!(config.reserves);
    }

    #[test]
    fn node_slices_are_called_as_the_network_or_the_configuration() {
        let named =
            r#"{"type":"whereabouts","range":"10.0.0.0/16","node_slice_size":"/24","network_name":"blue"}"#;
        assert_eq!(config(named).node_slices.as_deref(), Some("blue"));
        let unnamed = r#"{"type":"whereabouts","range":"10.0.0.0/16","node_slice_size":"/24"}"#;
        assert_eq!(config(unnamed).node_slices.as_deref(), Some("n"));
    }

    #[test]
    fn what_the_object_does_not_say_is_unknown() {
        let unknown = |config: &str| match read(config, "nad") {
            Ipam::Unknown(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(unknown("{").starts_with("its configuration is not JSON: "));
        let in_file = r#"{"type":"macvlan","ipam":{"type":"whereabouts"}}"#;
        assert_eq!(unknown(in_file), "its range is in a file on the nodes");
        let nested = r#"{"type":"x","delegate":{"ipam":{"type":"whereabouts"}}}"#;
        assert_eq!(unknown(nested), "it uses whereabouts in a part that only its plugin knows");
        let slip = r#"{"ipam":{"type":"whereabouts","range":"10.0.0.0"}}"#;
        assert_eq!(unknown(slip), "its range \"10.0.0.0\" is not a CIDR");
        assert_eq!(read(r#"{"type":"x","ipam":{"type":"host-local"}}"#, "nad"), Ipam::Other);
    }

    #[test]
    fn a_chain_of_plugins_is_searched_for_whereabouts() {
        let chain = r#"{"name":"n","plugins":[{"type":"bridge","ipam":{"type":"whereabouts","range":"10.0.9.0/24"}},{"type":"tuning"}]}"#;
        let Ipam::Whereabouts(configs) = read(chain, "nad") else { panic!("whereabouts") };
        assert_eq!(configs.len(), 1);
    }
}
