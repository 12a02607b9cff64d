#!/bin/sh
# Writes the files of this directory again. Needs OpenSSL 3 with its legacy provider. The keys are for tests only;
# every passphrase is "secret".
set -eu
cd "$(dirname "$0")"
quiet() { "$@" 2>/dev/null; }
quiet openssl ecparam -name prime256v1 -genkey -noout -out root.tmp
quiet openssl ecparam -name prime256v1 -genkey -noout -out inter.tmp
quiet openssl ecparam -name prime256v1 -genkey -noout -out ec.sec1.key
openssl req -x509 -key root.tmp -subj "/CN=Data Root" -days 36500 -out root.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
sign() { # key subject extensions issuer issuer-key out
    openssl req -new -key "$1" -subj "$2" -out csr.tmp
    printf '%b' "$3" > ext.tmp
    quiet openssl x509 -req -in csr.tmp -CA "$4" -CAkey "$5" -days 36500 -extfile ext.tmp -out "$6" ${7:-}
}
ca="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
leaf="basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
sign inter.tmp "/CN=Data Intermediate" "$ca" root.crt root.tmp inter.crt
sign ec.sec1.key "/CN=data-device" "$leaf" inter.crt inter.tmp leaf.crt
cp csr.tmp request.csr
cat leaf.crt inter.crt > chain.pem
openssl x509 -in leaf.crt -outform DER -out leaf.der
openssl x509 -in leaf.crt -trustout -addtrust clientAuth -out trusted.pem
openssl crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7b
openssl crl2pkcs7 -nocrl -certfile chain.pem -outform DER -out chain.der.p7b
openssl ec -in ec.sec1.key -outform DER -out ec.sec1.der 2>/dev/null
openssl ecparam -name prime256v1 -out ec.params.key; cat ec.sec1.key >> ec.params.key
openssl pkcs8 -topk8 -nocrypt -in ec.sec1.key -out ec.pkcs8.key
openssl pkcs8 -topk8 -nocrypt -in ec.sec1.key -outform DER -out ec.pkcs8.der
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret -in ec.sec1.key -out ec.aes.key
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret -in ec.sec1.key -outform DER -out ec.aes.der
openssl pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA1 -passout pass:secret -in ec.sec1.key -out ec.des3-sha1.key
openssl pkcs8 -topk8 -scrypt -scrypt_N 1024 -passout pass:secret -in ec.sec1.key -out ec.scrypt.key
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:secret -in ec.sec1.key -out ec.pbe.key
quiet openssl ec -in ec.sec1.key -aes128 -passout pass:secret -out ec.traditional.key
p12="openssl pkcs12 -export -inkey ec.sec1.key -in leaf.crt -certfile inter.crt -name device"
$p12 -passout pass:secret -out modern.p12
$p12 -passout pass:secret -legacy -out legacy.p12
$p12 -passout pass: -out empty.p12
$p12 -passout pass: -keypbe NONE -certpbe NONE -nomac -out plain.p12
openssl pkcs12 -export -nokeys -in leaf.crt -certfile inter.crt -passout pass:secret -out nokey.p12
openssl pkcs12 -export -inkey ec.sec1.key -in leaf.crt -passout pass:secret -out nochain.p12
for curve in secp521r1 secp256k1 brainpoolP256r1; do
    quiet openssl ecparam -name $curve -genkey -noout -out $curve.key
    sign $curve.key "/CN=$curve" "$leaf" inter.crt inter.tmp $curve.crt
done
quiet openssl genrsa -traditional -out rsa2048.pkcs1.key 2048
quiet openssl genrsa -out rsa1024.key 1024
openssl genpkey -algorithm ed25519 -out ed25519.key
openssl pkcs8 -topk8 -nocrypt -in rsa2048.pkcs1.key -out rsa2048.pkcs8.key
quiet openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key
for kind in p384 rsa2048.pkcs1 rsa1024 ed25519; do sign $kind.key "/CN=$kind" "$leaf" inter.crt inter.tmp $kind.crt; done
sign ec.sec1.key "/CN=sha1" "$leaf" inter.crt inter.tmp sha1.crt -sha1
sign ec.sec1.key "/CN=server-only" "keyUsage=critical,keyEncipherment\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" inter.crt inter.tmp server-only.crt
openssl ec -in ec.sec1.key -pubout -out public.pem 2>/dev/null
openssl pkcs12 -in modern.p12 -passin pass:secret -nodes -out bag-attributes.pem
rm -f ./*.tmp ./*.srl
