//! Tests the part of a path pattern that tells which files were asked for.

use contract::{PathGlob, is_plain_name};

#[test]
fn a_folder_is_above_what_a_pattern_matches() {
    for (pattern, above, not_above) in [
        ("*.txt", vec![], vec!["a", "a.txt", "a/b"]),
        ("a/*.txt", vec!["a"], vec!["b", "a/b", "a/c.txt"]),
        ("**/*.txt", vec!["a", "a/b", "a.txt"], vec![]),
        ("a/**", vec!["a", "a/b", "a/b/c"], vec!["b", "ab"]),
        (
            "a/**/z/*",
            vec!["a", "a/b", "a/z", "a/b/z", "a/z/z"],
            vec!["z"],
        ),
        ("**", vec!["a", "a/b"], vec![]),
        ("a*/b", vec!["a", "a1"], vec!["b", "a/b"]),
    ] {
        let glob = PathGlob::new(pattern).unwrap();
        for folder in above {
            assert!(glob.is_above(folder), "{pattern} {folder}");
        }
        for folder in not_above {
            assert!(!glob.is_above(folder), "{pattern} {folder}");
        }
    }
}

#[test]
fn an_odd_path_fits_a_pattern_but_is_not_judged() {
    let glob = PathGlob::new("in/*.txt").unwrap();
    for odd in [
        "in/a\n.txt",
        "in/a\\b.txt",
        "in/\u{202e}.txt",
        "in/\u{200b}.txt",
    ] {
        assert!(glob.fits(odd), "{odd:?}");
        assert_eq!(glob.judge(odd), None, "{odd:?}");
        let name = odd.strip_prefix("in/").unwrap();
        assert!(!is_plain_name(name), "{odd:?}");
    }
    assert!(!glob.fits("in/a\n.md"));
    assert_eq!(glob.judge("in/a.txt"), Some(true));
    for name in ["", ".", "..", "a/b"] {
        assert!(!is_plain_name(name), "{name:?}");
    }
    assert!(is_plain_name("a b.txt") && is_plain_name("gr\u{fc}n.txt"));
}
