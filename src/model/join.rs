use super::Inventory;
impl Inventory {
    pub fn join(&mut self) {}
}
