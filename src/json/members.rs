//! Borrowed, tolerant readers: a value of another type than expected becomes a value, never an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Field, JsonType, Shape};

/// What the members of a JSON object are read into, one by one.
pub(crate) trait Target<'a> {
    /// Reads the value of `key`, or skips it.
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error>;

    /// Is told what there is in place of the object.
    fn shape(&mut self, _: Shape) {}

    /// Is given the string that there is in place of the object.
    fn text(&mut self, _: Cow<'a, str>) {
        self.shape(Shape::Other(JsonType::String));
    }
}

/// Skips the value that comes next.
pub(crate) fn skip<'a, M: MapAccess<'a>>(map: &mut M) -> Result<(), M::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Fills a target from any JSON value.
pub(crate) struct Fill<'t, T>(pub(crate) &'t mut T);

impl<'de, T: Target<'de>> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Target<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        self.0.shape(Shape::Object);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            self.0.member(key, &mut map)?;
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.0.shape(Shape::Other(JsonType::Array));
        Ok(())
    }

    /// `null` counts as absent, as which every target begins.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
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

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.0.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.text(Cow::Owned(text.to_owned()));
        Ok(())
    }
}

/// Passes each element of an array, filled from any JSON value; anything but an array has none.
pub(crate) struct Elements<T, F>(F, PhantomData<T>);

impl<'a, T: Target<'a> + Default, F: FnMut(T)> Elements<T, F> {
    pub(crate) fn of(each: F) -> Self {
        Self(each, PhantomData)
    }
}

impl<'de, T: Target<'de> + Default, F: FnMut(T)> DeserializeSeed<'de> for Elements<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Target<'de> + Default, F: FnMut(T)> Visitor<'de> for Elements<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut seq: S) -> Result<(), S::Error> {
        let mut element = T::default();
        while seq.next_element_seed(Fill(&mut element))?.is_some() {
            (self.0)(std::mem::take(&mut element));
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut field = Self::Absent;
        Fill(&mut field).deserialize(deserializer)?;
        Ok(field)
    }
}

impl<'a> Target<'a> for Field<'a> {
    fn member<M: MapAccess<'a>>(&mut self, _: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        skip(map)
    }

    fn shape(&mut self, shape: Shape) {
        *self = match shape {
            Shape::Object => Self::Other(JsonType::Object),
            Shape::Other(found) => Self::Other(found),
            Shape::Absent | Shape::Unreadable => Self::Absent,
        };
    }

    fn text(&mut self, text: Cow<'a, str>) {
        *self = Self::Text(text);
    }
}

/// A string, borrowed where the JSON holds no escape. (A derived `Cow` is always owned as a map key.)
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Field::deserialize(deserializer)? {
            Field::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("not a string")),
        }
    }
}
