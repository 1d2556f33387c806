//! URLs of pages of the published documentation.

/// URL of the published documentation: `homepage` in `Cargo.toml`. Without it, reports do not link to the page of a
/// rule.
const SITE: &str = env!("CARGO_PKG_HOMEPAGE");

/// Returns the URL of the page of a built-in rule.
pub(crate) fn rule_page(id: &str) -> Option<String> {
    page_below(SITE, id)
}

fn page_below(site: &str, id: &str) -> Option<String> {
    let site = site.trim_end_matches('/');
    (!site.is_empty()).then(|| format!("{site}/rules/{id}.html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_an_address_only_below_a_published_site() {
        assert_eq!(page_below("", "sg-no-ingress"), None);
        for site in ["https://docs.example.com/ssm-audit", "https://docs.example.com/ssm-audit/"] {
            let page = page_below(site, "sg-no-ingress");
            assert_eq!(page.as_deref(), Some("https://docs.example.com/ssm-audit/rules/sg-no-ingress.html"));
        }
    }
}
