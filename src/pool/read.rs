//! Borrowed, tolerant readers: what a field is not becomes a value, never an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::allocations::Reading;
use super::{Allocation, Claim, Field, JsonType, MAX_ALLOCATIONS, Metadata, Pool, Shape, Spec};

/// A part of the object that is filled key by key.
pub(super) trait Part<'a> {
    /// Takes the value of `key`, or skips it.
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error>;

    /// Notes what stands where the object should be.
    fn shape(&mut self, shape: Shape);
}

impl<'a> Part<'a> for Pool<'a> {
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            // Of two members with one name the last counts, as the apiserver has it.
            "metadata" => map.next_value_seed(Fill(fresh(&mut self.metadata))),
            "spec" => map.next_value_seed(Fill(fresh(&mut self.spec))),
            _ => skip(map),
        }
    }

    fn shape(&mut self, shape: Shape) {
        // An object that is none holds no spec; IPP101 says so.
        if !matches!(shape, Shape::Object) {
            self.spec.shape = Shape::Absent;
        }
    }
}

impl<'a> Part<'a> for Metadata<'a> {
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" => self.name = map.next_value()?,
            "generateName" => self.generate_name = map.next_value()?,
            "namespace" => self.namespace = map.next_value()?,
            // `managedFields` is a quarter of a large pool.
            _ => skip(map)?,
        }
        Ok(())
    }

    fn shape(&mut self, _: Shape) {}
}

impl<'a> Part<'a> for Spec<'a> {
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "range" => {
                self.range = map.next_value()?;
                self.read_range();
            }
            "allocations" => {
                self.forget_allocations();
                let mut read = Entries { reading: Reading::beside(None, 0), spec: self };
                map.next_value_seed(Fill(&mut read))?;
                let Entries { reading, spec } = read;
                spec.allocations.append(reading);
            }
            _ => self.unknown.add(key.as_ref(), map.next_value::<&'a RawValue>()?.get()),
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}

/// `spec.allocations` while it is read, and the spec it belongs to.
struct Entries<'s, 'a> {
    reading: Reading<'a>,
    spec: &'s mut Spec<'a>,
}

impl<'a> Part<'a> for Entries<'_, 'a> {
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        if self.reading.len() == MAX_ALLOCATIONS {
            self.spec.left_out += 1;
            return skip(map);
        }
        map.next_value_seed(Fill(self.reading.push(Allocation::at(key.0))))
    }

    fn shape(&mut self, shape: Shape) {
        self.spec.allocations_shape = shape;
    }
}

impl<'a> Part<'a> for Allocation<'a> {
    fn take<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "id" => self.id = map.next_value()?,
            "podref" => self.podref = map.next_value()?,
            "ifname" => self.ifname = map.next_value()?,
            "ipamclaimref" => self.claim = Claim::of(map.next_value::<&'a RawValue>()?.get()),
            _ => self.unknown.add(key.as_ref(), map.next_value::<&'a RawValue>()?.get()),
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}

fn fresh<T: Default>(part: &mut T) -> &mut T {
    *part = T::default();
    part
}

fn skip<'a, M: MapAccess<'a>>(map: &mut M) -> Result<(), M::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

impl<'de> Deserialize<'de> for Pool<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut pool = Self::default();
        Fill(&mut pool).deserialize(deserializer)?;
        Ok(pool)
    }
}

/// Fills a part from whatever JSON value stands in its place.
pub(super) struct Fill<'p, P>(pub(super) &'p mut P);

impl<'de, P: Part<'de>> DeserializeSeed<'de> for Fill<'_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, P: Part<'de>> Visitor<'de> for Fill<'_, P> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        self.0.shape(Shape::Object);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            self.0.take(key, &mut map)?;
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.0.shape(Shape::Other(JsonType::Array));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.shape(Shape::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.0.shape(Shape::Other(JsonType::Boolean));
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.visit_f64(0.0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.visit_f64(0.0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.0.shape(Shape::Other(JsonType::Number));
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.0.shape(Shape::Other(JsonType::String));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyField(PhantomData))
    }
}

struct AnyField<'a>(PhantomData<&'a ()>);

impl<'de> Visitor<'de> for AnyField<'de> {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other(JsonType::Boolean))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other(JsonType::Number))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Field<'de>, E> {
        Ok(Field::Other(JsonType::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other(JsonType::Number))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Field<'de>, S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other(JsonType::Array))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Field<'de>, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other(JsonType::Object))
    }
}

/// A string that borrows where the JSON holds no escape. (A derived `Cow` is always owned as a map key.)
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;
        impl<'de> Visitor<'de> for AnyText {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(AnyText)
    }
}
