#!/bin/sh
# Makes the files of this directory anew, with OpenSSL 3 (its legacy provider included) and ssh-keygen.
# Run it in this directory. Everything is valid for a hundred years; all keys are for tests and public.
set -eu
days=36500
quiet() { "$@" 2>/dev/null; }

cat > ext.cnf <<'CNF'
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF

# A root, an intermediate and a client on P-256.
quiet openssl ecparam -name prime256v1 -genkey -noout -out root.key
printf '[req]\ndistinguished_name=dn\n[dn]\n' > req.cnf
authority() {
    openssl req -new -x509 -key "$1.key" -subj "$2" -days $days -sha256 -config req.cnf -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -addext subjectKeyIdentifier=hash
}
authority root "/CN=Data Root"

# sign NAME SUBJECT ISSUER SECTION [options]: NAME.key to NAME.pem
sign() {
    name=$1 subject=$2 issuer=$3 section=$4
    shift 4
    openssl req -new -key "$name.key" -subj "$subject" -config req.cnf -out csr.tmp
    quiet openssl x509 -req -in csr.tmp -CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial -days $days \
        -extfile ext.cnf -extensions "$section" -out "$name.pem" "$@"
}
curve() { quiet openssl ecparam -name "$1" -genkey -noout -out "$2.key"; }

curve prime256v1 intermediate; sign intermediate "/CN=Data Intermediate" root ca -sha256
curve prime256v1 client;       sign client "/CN=device1" intermediate client -sha256
curve secp256k1 secp256k1;     sign secp256k1 "/CN=device1" intermediate client -sha256
curve brainpoolP256r1 brainpool; sign brainpool "/CN=device1" intermediate client -sha256
quiet openssl genrsa -out rsa1024.key 1024; sign rsa1024 "/CN=device1" intermediate client -sha256
cp client.key sha1.key; sign sha1 "/CN=device1" intermediate client -sha1
cp client.key md5.key;  quiet openssl genrsa -out md5ca.key 2048
authority md5ca "/CN=Data MD5 Root"
sign md5 "/CN=device1" md5ca client -md5
cat client.pem intermediate.pem > chain.pem

# The client's key in other forms; the passphrase is "correct horse".
openssl pkcs8 -topk8 -nocrypt -in client.key -out client.pkcs8.key
openssl pkcs8 -topk8 -in client.key -v2 aes-256-cbc -v2prf hmacWithSHA256 -passout "pass:correct horse" -out client.encrypted.key
quiet openssl ec -in client.key -aes128 -passout "pass:correct horse" -out client.traditional.key
quiet openssl ecparam -name prime256v1 -out parameters.tmp; cat parameters.tmp client.key > client.parameters.key
quiet openssl genrsa -traditional -out client.rsa.key 2048
openssl req -new -key client.rsa.key -subj /CN=device1 -config req.cnf -out csr.tmp
quiet openssl x509 -req -in csr.tmp -CA intermediate.pem -CAkey intermediate.key -CAcreateserial -days $days \
    -extfile ext.cnf -extensions client -sha256 -out client.rsa.pem
openssl pkey -in client.key -pubout -out client.public.pem
openssl req -new -key client.key -subj /CN=device1 -config req.cnf -out client.csr.pem
rm -f openssh.key openssh.key.pub; ssh-keygen -q -t ed25519 -N "" -C test -f openssh.key; rm openssh.key.pub

# The client's certificate in other forms.
openssl x509 -in client.pem -trustout -addtrust clientAuth -out client.trusted.pem
openssl crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7b
openssl x509 -in client.pem -outform DER -out client.der

# PKCS#12; the password is "correct horse", except where there is none.
p12() { out=$1; shift; openssl pkcs12 -export -out "$out" -name device1 "$@"; }
p12 modern.p12 -inkey client.key -in client.pem -certfile intermediate.pem -passout "pass:correct horse"
p12 legacy.p12 -legacy -inkey client.key -in client.pem -certfile intermediate.pem -passout "pass:correct horse"
p12 compat.p12 -inkey client.key -in client.pem -certfile intermediate.pem -passout "pass:correct horse" \
    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1
p12 passwordless.p12 -inkey client.key -in client.pem -certfile intermediate.pem -passout pass: \
    -keypbe NONE -certpbe NONE
p12 nokey.p12 -nokeys -in client.pem -certfile intermediate.pem -passout "pass:correct horse"
p12 nochain.p12 -inkey client.key -in client.pem -passout "pass:correct horse" \
    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1

rm -f csr.tmp parameters.tmp req.cnf ext.cnf ./*.srl md5.key sha1.key root.key intermediate.key md5ca.key
