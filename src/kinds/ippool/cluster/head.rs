//! The first members of an object, read without the rest.

use serde::de::{DeserializeSeed, Error as _, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::json::{Elements, Field, Fill, Target, Text, skip};

/// `apiVersion`, `kind` and parts of `metadata`.
#[derive(Debug, Default)]
pub struct Head<'a> {
    /// `apiVersion`.
    pub api_version: Field<'a>,
    /// `kind`.
    pub kind: Field<'a>,
    /// What names the object.
    pub metadata: Metadata<'a>,
    has_metadata: bool,
    needs_metadata: bool,
}

/// What names an object, and tells it from an older copy.
#[derive(Debug, Default)]
pub struct Metadata<'a> {
    /// `metadata.name`.
    pub name: Field<'a>,
    /// `metadata.namespace`.
    pub namespace: Field<'a>,
    /// `metadata.resourceVersion`.
    pub resource_version: Field<'a>,
    /// `metadata.uid`.
    pub uid: Field<'a>,
    /// `metadata.continue`, of a list.
    pub continue_token: Field<'a>,
    /// Whether the CNI plugin of whereabouts wrote the object.
    pub is_written_by_plugin: bool,
    needs_managers: bool,
}

/// The namespace and the name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Meta {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// `apiVersion` and `kind`, either possibly empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeMeta {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
}

impl<'a> Head<'a> {
    /// Reads `apiVersion` and `kind`, as far as they are there: the text may be broken after them.
    pub fn type_meta(json: &'a str) -> TypeMeta {
        let head = Self::read(json, false);
        let text = |field: &Field<'_>| field.text().unwrap_or_default().to_owned();
        TypeMeta { api_version: text(&head.api_version), kind: text(&head.kind) }
    }

    /// The same with `metadata`.
    pub fn of(json: &'a str) -> Self {
        Self::read(json, true)
    }

    fn read(json: &'a str, needs_metadata: bool) -> Self {
        let mut head = Self { needs_metadata, ..Self::default() };
        head.metadata.needs_managers = needs_metadata;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        // Ends with an error as soon as nothing else is needed; another reader says what is wrong with the text.
        let _ = Fill(&mut head).deserialize(&mut deserializer);
        head
    }
}

impl<'a> Target<'a> for Head<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "apiVersion" => self.api_version = map.next_value()?,
            "kind" => self.kind = map.next_value()?,
            "metadata" if self.needs_metadata => {
                self.has_metadata = true;
                map.next_value_seed(Fill(&mut self.metadata))?;
            }
            _ => skip(map)?,
        }
        let has_type = self.api_version != Field::Absent && self.kind != Field::Absent;
        if has_type && (self.has_metadata || !self.needs_metadata) {
            return Err(M::Error::custom("enough"));
        }
        Ok(())
    }
}

impl<'a> Target<'a> for Metadata<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" => self.name = map.next_value()?,
            "namespace" => self.namespace = map.next_value()?,
            "resourceVersion" => self.resource_version = map.next_value()?,
            "uid" => self.uid = map.next_value()?,
            "continue" => self.continue_token = map.next_value()?,
            "managedFields" if self.needs_managers => {
                let IsWrittenByPlugin(is_plugin) = map.next_value()?;
                self.is_written_by_plugin = is_plugin;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Metadata<'_> {
    /// The namespace and the name.
    pub fn meta(&self) -> Meta {
        let text = |field: &Field<'_>| field.text().unwrap_or_default().to_owned();
        Meta { namespace: text(&self.namespace), name: text(&self.name) }
    }

    /// A number that is larger in a newer copy; 0 where the object has none.
    pub fn version(&self) -> u64 {
        self.resource_version.text().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// The CNI plugin, as `managedFields` has it. The other programs of whereabouts write to pools of any namespace.
const PLUGIN: &str = "whereabouts";

/// Whether one of `managedFields` is the CNI plugin.
struct IsWrittenByPlugin(bool);

#[derive(Default)]
struct Manager<'a>(Field<'a>);

impl<'a> Target<'a> for Manager<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        if key.as_ref() == "manager" {
            self.0 = map.next_value()?;
            return Ok(());
        }
        skip(map)
    }
}

impl<'de> Deserialize<'de> for IsWrittenByPlugin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut is_plugin = false;
        Elements::of(|manager: Manager<'_>| is_plugin |= manager.0.text() == Some(PLUGIN))
            .deserialize(deserializer)?;
        Ok(Self(is_plugin))
    }
}
