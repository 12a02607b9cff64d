use super::*;

fn fault(text: &str) -> ShareFault {
    match SharedFilter::try_from(text) {
        Err(TopicError::Share { fault }) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn mqtt5_4_8_2_1_a_shared_subscription_names_its_group() {
    assert_eq!(fault("$share//a"), ShareFault::EmptyGroup);
    assert_eq!(fault("$share/"), ShareFault::EmptyGroup);
    assert_eq!(fault("share/g/a"), ShareFault::NotShared);
    let shared = SharedFilter::try_from("$share/g/a").unwrap();
    assert_eq!((shared.group(), shared.filter().as_str()), ("g", "a"));
}

#[test]
fn mqtt5_4_8_2_2_the_group_has_no_wildcard_and_a_filter_follows_it() {
    assert_eq!(fault("$share/+/a"), ShareFault::WildcardInGroup { at: 7 });
    assert_eq!(fault("$share/ab#/a"), ShareFault::WildcardInGroup { at: 9 });
    assert_eq!(fault("$share/g"), ShareFault::MissingFilter);
    assert_eq!(fault("$share/g/"), ShareFault::MissingFilter);
    assert_eq!(SharedFilter::try_from("$share/g/a+"), Err(TopicError::MisplacedWildcard { at: 10 }));
    assert_eq!(SharedFilter::try_from("$share/g//").map(|shared| shared.filter().to_string()), Ok("/".to_owned()));
}

#[test]
fn shared_subscriptions_do_not_nest() {
    assert_eq!(fault("$share/g/$share/h/a"), ShareFault::NotPlain);
    assert_eq!(TopicFilter::try_from("$share/g/a"), Err(ShareFault::NotPlain.into()));
    assert_eq!(TopicFilter::try_from("$share").map(|filter| filter.to_string()), Ok("$share".to_owned()));
}

#[test]
fn new_writes_what_parse_reads() {
    let filter = TopicFilter::try_from("$SYS/+/#").unwrap();
    let shared = SharedFilter::new("grüppe", &filter).unwrap();
    assert_eq!(shared.as_str(), "$share/grüppe/$SYS/+/#");
    assert_eq!(shared.group(), "grüppe");
    assert_eq!(shared.filter(), &filter);
    assert_eq!(SharedFilter::try_from(shared.as_str()), Ok(shared.clone()));
    assert_eq!(shared.detached(), shared);
    assert_eq!(shared.detached().filter(), &filter);
    assert_eq!(SharedFilter::new("", &filter), Err(ShareFault::EmptyGroup.into()));
    assert_eq!(SharedFilter::new("a/b", &filter), Err(ShareFault::SeparatorInGroup { at: 8 }.into()));
    assert_eq!(SharedFilter::new("a+", &filter), Err(ShareFault::WildcardInGroup { at: 8 }.into()));
}

#[test]
fn a_subscription_is_shared_exactly_with_the_prefix() {
    let parse = |text: &str| SubscriptionFilter::try_from(text).unwrap();
    let shared = parse("$share/g/a/#");
    assert!(matches!(shared, SubscriptionFilter::Shared(_)));
    assert_eq!((shared.group(), shared.filter().as_str(), shared.as_str()), (Some("g"), "a/#", "$share/g/a/#"));
    for plain in ["$share", "$shared/g/a", "share/g/a", "/$share/g/a", "$SHARE/g/a"] {
        let filter = parse(plain);
        assert!(matches!(filter, SubscriptionFilter::Plain(_)), "{plain}");
        assert_eq!((filter.group(), filter.filter().as_str(), filter.as_str()), (None, plain, plain));
    }
    assert_ne!(parse("$share/g/a"), parse("$share/h/a"));
    assert_eq!(parse("$share/g/a").detached().into_inner(), "$share/g/a");
}
