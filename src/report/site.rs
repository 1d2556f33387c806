//! Addresses of pages of the published documentation.

/// Address of the published documentation: `homepage` in `Cargo.toml`. Reports link no page of a rule without it.
const SITE: &str = env!("CARGO_PKG_HOMEPAGE");

/// Returns the address of the page of a rule that comes with the tool.
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
