"""azure-mgmt-eventgrid and azure-identity against the control plane, as a program of Azure's users has them.

usage: azure_management.py BASE_URL ADMIN_SECRET CA_CERTIFICATE

Prints a line for each thing that worked, and ends with exit code 0 if everything did. REQUESTS_CA_BUNDLE names the
certificate authority.
"""

import sys

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.eventgrid import models as m

GROUP, NAMESPACE = "rg", "sdk-ns"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def done(what):
    print(f"ok {what}", flush=True)


def refused(call, code, target):
    """The code and the target of the error that the call has to end with."""
    try:
        call()
    except HttpResponseError as error:
        assert error.error.code == code, error
        assert error.error.target == target, error
        return
    raise AssertionError(f"not refused: {code} {target}")


def main(base, secret, ca):
    credential = ClientSecretCredential(
        "11111111-1111-1111-1111-111111111111",
        "22222222-2222-2222-2222-222222222222",
        secret,
        authority=base,
        disable_instance_discovery=True,
    )
    assert ClientSecretCredential("adfs", "me", secret, authority=base).get_token(f"{base}/.default").token
    done("credentials of a tenant and of adfs")
    assert ManagedIdentityCredential().get_token("https://eventgrid.azure.net/.default").token
    done("managed identity")
    client = EventGridManagementClient(
        credential, SUBSCRIPTION, base_url=base, credential_scopes=[f"{base}/.default"]
    )

    namespace = client.namespaces.begin_create_or_update(
        GROUP,
        NAMESPACE,
        m.Namespace(
            location="eastus",
            sku=m.NamespaceSku(name="Standard", capacity=2),
            tags={"env": "dev"},
            topic_spaces_configuration=m.TopicSpacesConfiguration(
                state="Enabled", maximum_session_expiry_in_hours=2
            ),
        ),
    ).result()
    assert namespace.provisioning_state == "Succeeded", namespace
    assert namespace.topic_spaces_configuration.hostname == f"{NAMESPACE}.eastus-1.ts.eventgrid.azure.net"
    assert (namespace.sku.capacity, namespace.tags) == (2, {"env": "dev"})
    done("namespace made")

    made = client.clients.begin_create_or_update(
        GROUP,
        NAMESPACE,
        "client1",
        m.Client(
            description="d",
            attributes={"room": "345", "floor": 12, "deviceTypes": ["Fan", "Light"]},
            client_certificate_authentication=m.ClientCertificateAuthentication(
                validation_scheme="ThumbprintMatch", allowed_thumbprints=["1" * 40]
            ),
        ),
    ).result()
    assert (made.authentication_name, made.state) == ("client1", "Enabled"), made
    assert made.attributes["deviceTypes"] == ["Fan", "Light"], made
    for number in range(24):
        client.clients.begin_create_or_update(GROUP, NAMESPACE, f"more{number:02}", m.Client()).result()
    names = [one.name for one in client.clients.list_by_namespace(GROUP, NAMESPACE, top=10)]
    assert names == ["client1"] + [f"more{number:02}" for number in range(24)], names
    found = client.clients.list_by_namespace(GROUP, NAMESPACE, filter="contains(name,'client')")
    assert [one.name for one in found] == ["client1"]
    done("clients made, paged and filtered")

    client.client_groups.begin_create_or_update(
        GROUP, NAMESPACE, "floor12", m.ClientGroup(query="attributes.floor = 12")
    ).result()
    client.topic_spaces.begin_create_or_update(
        GROUP, NAMESPACE, "telemetry", m.TopicSpace(topic_templates=["devices/${client.authenticationName}/t"])
    ).result()
    binding = client.permission_bindings.begin_create_or_update(
        GROUP,
        NAMESPACE,
        "floor12-pub",
        m.PermissionBinding(client_group_name="floor12", topic_space_name="telemetry", permission="Publisher"),
    ).result()
    assert binding.permission == "Publisher", binding
    with open(ca, encoding="ascii") as file:
        pem = file.read()
    certificate = client.ca_certificates.begin_create_or_update(
        GROUP, NAMESPACE, "root", m.CaCertificate(encoded_certificate=pem)
    ).result()
    assert certificate.expiry_time_in_utc > certificate.issue_time_in_utc, certificate
    done("group, topic space, binding and CA certificate made")

    topic = client.namespace_topics.begin_create_or_update(
        GROUP, NAMESPACE, "orders", m.NamespaceTopic(event_retention_in_days=1)
    ).result()
    assert topic.publisher_type == "Custom", topic
    changed = client.namespace_topics.begin_update(
        GROUP, NAMESPACE, "orders", m.NamespaceTopicUpdateParameters(event_retention_in_days=7)
    ).result()
    assert changed.event_retention_in_days == 7, changed
    subscription = client.namespace_topic_event_subscriptions.begin_create_or_update(
        GROUP,
        NAMESPACE,
        "orders",
        "sub1",
        m.Subscription(
            delivery_configuration=m.DeliveryConfiguration(
                delivery_mode="Queue", queue=m.QueueInfo(receive_lock_duration_in_seconds=60, max_delivery_count=4)
            ),
            filters_configuration=m.FiltersConfiguration(
                filters=[m.StringInFilter(key="subject", values=["a", "b"])]
            ),
        ),
    ).result()
    assert subscription.delivery_configuration.queue.max_delivery_count == 4, subscription
    changed = client.namespace_topic_event_subscriptions.begin_update(
        GROUP,
        NAMESPACE,
        "orders",
        "sub1",
        m.SubscriptionUpdateParameters(
            delivery_configuration=m.DeliveryConfiguration(
                delivery_mode="Queue", queue=m.QueueInfo(max_delivery_count=5)
            )
        ),
    ).result()
    assert changed.delivery_configuration.queue.max_delivery_count == 5, changed
    done("topic and event subscription made and changed")

    keys = client.namespaces.list_shared_access_keys(GROUP, NAMESPACE)
    assert keys.key1 and keys.key2 and keys.key1 != keys.key2
    renewed = client.namespaces.begin_regenerate_key(
        GROUP, NAMESPACE, m.NamespaceRegenerateKeyRequest(key_name="key1")
    ).result()
    assert renewed.key1 != keys.key1 and renewed.key2 == keys.key2
    topic_keys = client.namespace_topics.list_shared_access_keys(GROUP, NAMESPACE, "orders")
    assert topic_keys.key1 and topic_keys.key1 != renewed.key1
    done("keys listed and renewed")

    changed = client.namespaces.begin_update(
        GROUP, NAMESPACE, m.NamespaceUpdateParameters(tags={"env": "test"})
    ).result()
    assert changed.tags == {"env": "test"} and changed.sku.capacity == 2, changed
    assert [one.name for one in client.namespaces.list_by_resource_group(GROUP)] == [NAMESPACE]
    assert [one.name for one in client.namespaces.list_by_subscription()] == [NAMESPACE]
    done("namespace changed and listed")

    refused(
        lambda: client.clients.begin_create_or_update(
            GROUP, NAMESPACE, "other", m.Client(authentication_name="CLIENT1")
        ),
        "InvalidRequest",
        "properties.authenticationName",
    )
    refused(
        lambda: client.client_groups.begin_create_or_update(
            GROUP, NAMESPACE, "broken", m.ClientGroup(query="attributes.floor =")
        ),
        "InvalidRequest",
        "properties.query",
    )
    refused(lambda: client.topic_spaces.begin_delete(GROUP, NAMESPACE, "telemetry"), "Conflict", None)
    done("mistakes refused with code and target")

    client.permission_bindings.begin_delete(GROUP, NAMESPACE, "floor12-pub").result()
    client.topic_spaces.begin_delete(GROUP, NAMESPACE, "telemetry").result()
    client.client_groups.begin_delete(GROUP, NAMESPACE, "floor12").result()
    client.ca_certificates.begin_delete(GROUP, NAMESPACE, "root").result()
    client.clients.begin_delete(GROUP, NAMESPACE, "client1").result()
    client.namespace_topic_event_subscriptions.begin_delete(GROUP, NAMESPACE, "orders", "sub1").result()
    client.namespace_topics.begin_delete(GROUP, NAMESPACE, "orders").result()
    client.namespaces.begin_delete(GROUP, NAMESPACE).result()
    try:
        client.namespaces.get(GROUP, NAMESPACE)
    except ResourceNotFoundError:
        done("everything deleted")
    else:
        raise AssertionError("the namespace is still there")


if __name__ == "__main__":
    main(*sys.argv[1:])
