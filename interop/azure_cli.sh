#!/bin/bash
# `az`, unchanged, against the control plane: the commands of Microsoft's samples and quickstarts.
#
# usage: azure_cli.sh AZ BASE_URL ADMIN_SECRET CA_CERTIFICATE
#
# Prints a line for each thing that worked, and ends with exit code 0 if everything did. It has a configuration of its own,
# in the working directory, and leaves that of whoever runs it alone.
set -euo pipefail

az=$1 base=$2 secret=$3
export REQUESTS_CA_BUNDLE=$4
export AZURE_CONFIG_DIR=$PWD/azure AZURE_CORE_COLLECT_TELEMETRY=0 AZURE_CORE_NO_COLOR=1 AZURE_CORE_ONLY_SHOW_ERRORS=1
export AZURE_CORE_OUTPUT=json

done_with() { echo "ok $*"; }
fail() {
  echo "failed: $*" >&2
  exit 1
}
# The output of a command has to be this.
gives() {
  local expected=$1 got
  shift
  got=$("$az" "$@") || fail "az $*"
  [ "$got" = "$expected" ] || fail "az $*: '$got' instead of '$expected'"
}
# A command has to fail with this exit code, and say this.
fails() {
  local code=$1 words=$2 got=0
  shift 2
  "$az" "$@" > said 2>&1 || got=$?
  [ "$got" = "$code" ] || fail "az $*: exit code $got: $(cat said)"
  grep -qF -- "$words" said || fail "az $*: '$words' is not in: $(cat said)"
}

"$az" cloud register -n GridMQ --endpoint-resource-manager "$base"
"$az" cloud set -n GridMQ
fails 1 "admin secret" login --service-principal -u me -p wrong --tenant 11111111-1111-1111-1111-111111111111
gives "me" login --service-principal -u me -p "$secret" --tenant 11111111-1111-1111-1111-111111111111 \
  --query '[0].user.name' -o tsv
done_with "login"

gives eastus group create -n rg -l eastus --query location -o tsv
gives Registered provider show -n Microsoft.EventGrid --query registrationState -o tsv
subscription=$("$az" account show --query id -o tsv)
namespace=/subscriptions/$subscription/resourceGroups/rg/providers/Microsoft.EventGrid/namespaces/ns1
gives ns1.eastus-1.ts.eventgrid.azure.net resource create --id "$namespace" --is-full-object \
  --properties '{"location": "eastus", "properties": {"topicSpacesConfiguration": {"state": "Enabled"}}}' \
  --query properties.topicSpacesConfiguration.hostname -o tsv
done_with "namespace"

gives client1 resource create --id "$namespace/clients/client1" --properties '{"attributes": {"room": "345"}}' \
  --query properties.authenticationName -o tsv
gives Succeeded resource create --id "$namespace/clientGroups/room345" \
  --properties "{\"query\": \"attributes.room = '345'\"}" --query properties.provisioningState -o tsv
gives Succeeded resource create --id "$namespace/topicSpaces/samples" \
  --properties '{"topicTemplates": ["vehicles/${client.authenticationName}/#"]}' --query properties.provisioningState -o tsv
gives Publisher resource create --id "$namespace/permissionBindings/samples-pub" \
  --properties '{"clientGroupName": "$all", "topicSpaceName": "samples", "permission": "publisher"}' \
  --query properties.permission -o tsv
python3 -c 'import json, sys; print(json.dumps({"encodedCertificate": open(sys.argv[1]).read()}))' "$4" > ca.json
gives Succeeded resource create --id "$namespace/caCertificates/root" --properties @ca.json \
  --query properties.provisioningState -o tsv
gives 345 resource show --ids "$namespace/clients/client1" --query properties.attributes.room -o tsv
gives 1 rest --method get --url "$namespace/clients?api-version=2025-02-15" --query 'length(value)' -o tsv
done_with "client, group, topic space, binding and CA certificate"

fails 1 "properties.state" resource create --id "$namespace/clients/client2" --properties '{"state": "Perhaps"}'
fails 3 "ResourceNotFound" resource show --ids "$namespace/clients/nobody"
# `az resource delete` keeps the reason to itself.
fails 1 "refers to" rest --method delete --url "$namespace/topicSpaces/samples?api-version=2025-02-15"
done_with "refusals"

keys() { "$az" rest --method post --url "$namespace/listKeys?api-version=2025-02-15" --query key1 -o tsv; }
before=$(keys)
"$az" rest --method post --url "$namespace/regenerateKey?api-version=2025-02-15" --body '{"keyName": "key1"}' > renewed
[ "$before" != "$(keys)" ] || fail "the key stayed"
"$az" resource invoke-action --ids "$namespace" --action listKeys > invoked
done_with "keys"

cat > main.json << 'TEMPLATE'
{
  // As a person writes it.
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": { "device": { "type": "string" } },
  "resources": [
    { "type": "Microsoft.EventGrid/namespaces/clients", "apiVersion": "2025-02-15",
      "name": "[format('ns1/{0}', parameters('device'))]", "properties": { "attributes": { "room": "7" } } }
  ],
  "outputs": { "id": { "type": "string",
    "value": "[resourceId('Microsoft.EventGrid/namespaces/clients', 'ns1', parameters('device'))]" } }
}
TEMPLATE
"$az" deployment group what-if -g rg -n main --template-file main.json --parameters device=d1 --no-pretty-print \
  --query 'changes[0].changeType' -o tsv > said
[ "$(cat said)" = Create ] || fail "what-if: $(cat said)"
gives "$namespace/clients/d1" deployment group create -g rg -n main --template-file main.json --parameters device=d1 \
  --query properties.outputs.id.value -o tsv
gives 7 resource show --ids "$namespace/clients/d1" --query properties.attributes.room -o tsv
gives main deployment group show -g rg -n main --query name -o tsv
fails 1 "name" deployment group create -g rg -n main --template-file main.json --parameters 'device=a b'
done_with "deployment"

gives "EventGrid TopicSpaces Publisher" role definition list --name "EventGrid TopicSpaces Publisher" \
  --query '[0].roleName' -o tsv
gives ServicePrincipal role assignment create --role "EventGrid TopicSpaces Publisher" --scope "$namespace" \
  --assignee-object-id 33333333-3333-3333-3333-333333333333 --assignee-principal-type ServicePrincipal \
  --query principalType -o tsv
done_with "role assignment"

"$az" resource delete --ids "$namespace/permissionBindings/samples-pub" "$namespace/topicSpaces/samples" > deleted
"$az" resource delete --ids "$namespace"
gives 0 resource list -g rg --query 'length(@)' -o tsv
"$az" group delete -n rg --yes
done_with "deletion"
