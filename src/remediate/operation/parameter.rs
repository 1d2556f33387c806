//! How a parameter's JSON type becomes the SDK's.

/// A parameter, given to a setter of the SDK.
pub(super) trait Parameter<S> {
    /// The SDK's value; none leaves the parameter out.
    fn give(self) -> Option<S>;
}

/// Texts, and the SDK's enumerations, which are made of texts.
impl<S: for<'a> From<&'a str>> Parameter<S> for String {
    fn give(self) -> Option<S> {
        Some(S::from(&self))
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
