//! Pagination: answers that come page by page, each with a token for the next.

use std::collections::BTreeSet;
use std::future::Future;

/// Follows tokens from page to page. A token that was given before, however long ago, would lead round for ever.
pub(crate) async fn follow<P, F, E>(
    mut request: impl FnMut(Option<String>) -> F,
    mut take: impl FnMut(P) -> Option<String>,
    again: impl FnOnce() -> E,
) -> Result<(), E>
where
    F: Future<Output = Result<P, E>>,
{
    let mut seen = BTreeSet::new();
    let mut token = None;
    loop {
        let Some(next) = take(request(token).await?).filter(|next| !next.is_empty()) else { return Ok(()) };
        if !seen.insert(next.clone()) {
            return Err(again());
        }
        token = Some(next);
    }
}

/// Returns the marker of the next page of IAM. A marker says that there is one, whatever `IsTruncated` says; where that
/// alone says so, the list cannot be read to its end.
pub(crate) fn next_marker(marker: Option<String>, is_truncated: bool, lacks_marker: impl FnOnce()) -> Option<String> {
    let marker = marker.filter(|marker| !marker.is_empty());
    if is_truncated && marker.is_none() {
        lacks_marker();
    }
    marker
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Reads pages that lead to these tokens in turn; gives the tokens that were asked for, and how it ended.
    fn read(tokens: &[&str]) -> (Vec<Option<String>>, Result<(), &'static str>) {
        let mut asked = Vec::new();
        let mut pages = tokens.iter().map(|token| (*token).to_owned());
        let request = |token| {
            asked.push(token);
            let page = pages.next();
            async move { Ok(page) }
        };
        let end = follow(request, |page| page, || "again").now_or_never().expect("nothing to wait for");
        (asked, end)
    }

    #[test]
    fn pages_are_read_until_one_has_no_token() {
        let (asked, end) = read(&["a", "b"]);
        assert_eq!((asked.len(), end), (3, Ok(())));
        assert_eq!(read(&[""]).1, Ok(()));
    }

    #[test]
    fn tokens_that_lead_round_are_a_gap_and_not_for_ever() {
        assert_eq!(read(&["a", "a"]).1, Err("again"));
        let (asked, end) = read(&["a", "b", "a", "b"]);
        assert_eq!((asked.len(), end), (3, Err("again")));
    }

    #[test]
    fn a_list_ends_only_where_nothing_says_that_it_goes_on() {
        let after = |marker: Option<&str>, is_truncated| {
            let mut lacking = false;
            (next_marker(marker.map(str::to_owned), is_truncated, || lacking = true), lacking)
        };
        assert_eq!(after(None, false), (None, false));
        assert_eq!(after(Some("m"), true), (Some("m".to_owned()), false));
        // The SDK reads a missing IsTruncated as false.
        assert_eq!(after(Some("m"), false), (Some("m".to_owned()), false));
        assert_eq!(after(None, true), (None, true));
        assert_eq!(after(Some(""), true), (None, true));
    }
}
