//! What is fetched once however many ask for it: the first fetches, the others wait for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Values by key, each made once.
#[derive(Debug)]
pub(crate) struct Once<K, V>(Mutex<BTreeMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Once<K, V> {
    /// The value of this key; `fetch` runs only for the first who asks.
    pub(crate) fn get(&self, key: K, fetch: impl Future<Output = V>) -> impl Future<Output = V> {
        let cell = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        // On the heap: what is fetched in turn fetches more, and each of these futures is large.
        let fetch = Box::pin(fetch);
        async move { cell.get_or_init(|| fetch).await.clone() }
    }
}
