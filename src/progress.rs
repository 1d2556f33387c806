//! stub
pub struct Display;
impl Display { pub fn new(_: bool) -> Option<Self> { None } }
impl crate::source::Progress for Display {
    fn started(&self, _: &crate::model::AccountId, _: Option<&crate::model::Region>, _: &crate::model::call::Call) {}
    fn finished(&self, _: &crate::model::AccountId, _: Option<&crate::model::Region>, _: &crate::model::call::Call, _: crate::source::Outcome) {}
}
