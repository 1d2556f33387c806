//! How a parameter's JSON type becomes the SDK's.

use crate::remediate::step_output::Text;

/// A parameter, given to a setter of the SDK.
pub(crate) trait Parameter<S> {
    /// The SDK's value; none leaves the parameter out.
    fn give(self) -> Option<S>;
}

/// Texts, and the SDK's enumerations, which are made of texts.
impl<S: for<'a> From<&'a str>> Parameter<S> for String {
    fn give(self) -> Option<S> {
        Some(S::from(&self))
    }
}

/// Texts of which nothing is left to be made: others are never sent.
impl<S: for<'a> From<&'a str>> Parameter<S> for Text {
    fn give(self) -> Option<S> {
        self.plain().map(S::from)
    }
}

impl Parameter<Self> for i32 {
    fn give(self) -> Option<Self> {
        Some(self)
    }
}

impl Parameter<Self> for bool {
    fn give(self) -> Option<Self> {
        Some(self)
    }
}

impl<S, P: Parameter<S>> Parameter<S> for Option<P> {
    fn give(self) -> Option<S> {
        self.and_then(Parameter::give)
    }
}

impl<S, P: Parameter<S>> Parameter<Vec<S>> for Vec<P> {
    fn give(self) -> Option<Vec<S>> {
        Some(self.into_iter().filter_map(Parameter::give).collect())
    }
}

/// A part of a parameter: a structure of the SDK, made of its members. `ok` where the SDK's builder may refuse.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident => $($sdk:ident)::+ {
        $($(#[$field_meta:meta])* $field:ident: $type:ty => $setter:ident,)*
    } $($ok:ident)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase", deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl $crate::remediate::step_output::Texts for $name {
            fn each_text(&mut self, visit: &mut dyn FnMut(&mut $crate::remediate::step_output::Text)) {
                $($crate::remediate::step_output::Texts::each_text(&mut self.$field, visit);)*
            }
        }

        impl $crate::remediate::operation::parameter::Parameter<$($sdk)::+> for $name {
            fn give(self) -> Option<$($sdk)::+> {
                use $crate::remediate::operation::parameter::{Parameter, built};
                let part = <$($sdk)::+>::builder();
                $(let part = part.$setter(Parameter::give(self.$field));)*
                built!(part $($ok)?)
            }
        }
    };
}

macro_rules! built {
    ($part:ident) => {
        Some($part.build())
    };
    ($part:ident $ok:ident) => {
        $part.build().$ok()
    };
}

pub(crate) use {built, part};
