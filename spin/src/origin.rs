//! The form of the variable `base_url` that Spin can use. The core accepts more, but Spin allows requests only to what the
//! manifest makes of the same variable, and that must be an origin.

use onepassword_users_core::BaseUrl;

/// Checks that a value which the core accepts is an origin as Spin reads it. A value that the core refuses passes here: the core
/// has its own words for it.
///
/// # Errors
///
/// The mistake, as a clause. It does not show the value: people paste secrets into the wrong variable.
pub fn check(base_url: &str) -> Result<(), &'static str> {
    let Ok(parsed) = BaseUrl::parse(base_url) else { return Ok(()) };
    let origin = parsed.origin();
    let value = base_url.strip_suffix('/').unwrap_or(base_url);
    let is_origin = [origin.as_str(), &format!("{origin}:443"), &format!("{origin}:80")].contains(&value);
    if is_origin {
        Ok(())
    } else if base_url.trim() != base_url {
        Err("it has white space around it")
    } else {
        match value.split_once("://") {
            None => Err("it has no scheme in front of the host (https://)"),
            Some((_, rest)) if rest.contains('/') => Err("it has a path after the host"),
            Some(_) => Err("it has upper-case letters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_73_a_base_url_that_spin_cannot_use_is_named() {
        for good in [
            "https://api.1password.com",
            "https://api.1password.eu/",
            "https://api.1password.ca:443",
            "https://gateway.example:8443",
            "http://127.0.0.1:4999",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, mistake) in [
            ("api.1password.com", "no scheme"),
            ("127.0.0.1:4998", "no scheme"),
            ("api.1password.com/v1", "no scheme"),
            ("https://api.1password.com/v1", "a path"),
            ("https://api.1password.com/v1beta1/", "a path"),
            ("https://api.1password.com//", "a path"),
            ("https://API.1password.com", "upper-case"),
            ("HTTPS://api.1password.com", "upper-case"),
            (" https://api.1password.com", "white space"),
            ("https://api.1password.com\n", "white space"),
        ] {
            assert!(check(bad).is_err_and(|error| error.contains(mistake)), "{bad}: {:?}", check(bad));
        }
        for of_the_core in ["", "https://api.1password.com/v2", "ftp://api.1password.com", "http://api.1password.com"] {
            assert_eq!(check(of_the_core), Ok(()), "{of_the_core}");
        }
    }
}
