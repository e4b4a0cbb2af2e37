//! What is read, and how.

#[test]
fn words_of_the_grammar_are_sorted() {
    assert!(super::words::RESERVED.is_sorted());
    assert!(super::words::UNRESERVED.is_sorted());
    assert!(super::words::UNREADABLE.is_sorted());
}
