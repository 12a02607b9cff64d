//! Group A: files, before any connection.

super::words! {
    A01 "no file has this name; a relative path starts at the directory in which the program was started"
        "correct the path, or give an absolute one"
        ["Problem setting TLS options: File not found", "I/O error: No such file", "[Errno 2] No such file or directory",
         "ENOENT: no such file or directory", "java.io.FileNotFoundException", "Could not find file"]
        ["No such file or directory"],
    A02 "the file belongs to another user and its mode does not let this one read it"
        "let the user that runs the program read it, by group and mode 0640 for a key"
        ["[Errno 13] Permission denied", "EACCES: permission denied", "Unable to load server key file…Permission denied",
         "UnauthorizedAccessException"]
        ["Permission denied"],
    A03 "other users of this machine may read the private key, and some programs refuse such a key"
        "take the rights from group and others: chmod 600"
        ["Permissions to given cert/key file", "UNPROTECTED PRIVATE KEY FILE", "private key file has group or world access"]
        [],
    A04 "the file holds no byte, as after a failed download or a write that was cut short"
        "copy or download it again"
        ["pem file is empty", "certificate file is empty", "key file is empty"]
        [],
    A05 "a BEGIN line has no END line after it, so part of the text was not copied"
        "copy the whole text again, from the BEGIN line to the END line"
        ["bad end line", "MissingSectionEnd", "SectionEndMissing", "malformed framing", "BAD_END_LINE", "section end \"-----END"]
        [],
    A06 "editors on Windows put three bytes before the text, which some programs take for part of it"
        "save it as UTF-8 without byte order mark"
        ["\u{feff}-----BEGIN", "ï»¿-----BEGIN", "UTF-8 BOM"]
        [],
    A07 "every character takes two bytes, as Windows PowerShell writes by default, and no program expects that"
        "save it as UTF-8 or ASCII"
        ["saved as UTF-16", "UTF-16 encoded PEM"]
        [],
    A08 "its lines end in CR and LF, which every TLS library takes"
        "nothing needs to be done"
        ["Windows line endings in PEM"]
        [],
    A09 "the line breaks went where the text passed through a variable, JSON or YAML"
        "keep the line breaks (in YAML with `|`), or pass the text in base64"
        ["-----BEGIN CERTIFICATE-----\\n", "-----BEGIN PRIVATE KEY-----\\n", "-----BEGIN RSA PRIVATE KEY-----\\n",
         "-----BEGIN EC PRIVATE KEY-----\\n"]
        [],
    A10 "a header line has the wrong dashes, or the block is indented"
        "write exactly five hyphens on both sides, at the beginning of the line"
        ["no start line", "PEM_read_bio", "NO_START_LINE", "ERR_OSSL_PEM_NO_START_LINE", "Expecting: TRUSTED CERTIFICATE",
         "Expecting: CERTIFICATE", "IllegalSectionStart"]
        [],
    A11 "the certificate is in binary form (DER), which programs that expect PEM do not read"
        "convert it: gridmq certs convert, or openssl x509 -inform der"
        ["DECODER routines::unsupported", "ERR_OSSL_UNSUPPORTED", "error:1E08010C"]
        [],
    A12 "it is a PKCS#12 container, which holds certificate and key together"
        "name it by --pkcs12, or convert it: gridmq certs convert"
        ["PKCS#12 where PEM is expected", "pkcs12 given as pem"]
        [],
    A13 "the file for the certificate holds a key and the file for the key a certificate"
        "exchange the two paths"
        ["certificate and key paths are swapped"]
        ["[SSL] PEM lib"],
    A14 "the first certificate has CA:TRUE, so it is an issuer's and not a client's own"
        "give the certificate that was issued to this client"
        ["client certificate is a CA certificate"]
        [],
    A15 "the key belongs to a later certificate of the file, and programs take the first"
        "put the leaf first: gridmq certs order"
        ["leaf is not the first certificate"]
        [],
    A16 "each certificate should be followed by its issuer; some peers do not sort for themselves"
        "sort it: gridmq certs order"
        ["certificates are not in order of issue", "chain issues: Incorrect order", "Received Chain Order…NOT OK"]
        [],
    A17 "whoever trusts the root has it already, so sending it costs bytes in each handshake"
        "remove the self-signed certificate from the file: gridmq certs order"
        ["Received Chain Contains Anchor…yes", "contains anchor"]
        [],
    A18 "the certificate's issuer is neither in the file nor a root, so a peer that knows only the root finds no path"
        "append the issuer's certificate to the file"
        ["chain issues: Incomplete", "chain incomplete"]
        [],
    A19 "certificate and key have different public keys"
        "use the key that was made for this certificate's request, or have a certificate issued for this key"
        ["KEY_VALUES_MISMATCH", "key values mismatch", "InconsistentKeys(KeyMismatch)", "NO_CERTIFICATE_ASSIGNED",
         "KeyMismatch", "ERR_OSSL_X509_KEY_VALUES_MISMATCH", "private key does not match public key",
         "keys may not be consistent", "0A0000BE", "05800074"]
        [],
    A20 "the private key is encrypted, and no passphrase was given"
        "give its passphrase by file, descriptor or environment variable"
        ["InvalidCharacter(45)", "ERR_MISSING_PASSPHRASE", "interrupted or cancelled", "Passphrase required for encrypted key",
         "Password was not given but private key is encrypted"]
        [],
    A21 "the passphrase is not the one that the key was encrypted with; a line break at its end counts for many programs"
        "give the right passphrase, and see that its file has no needless line break"
        ["bad decrypt", "ERR_OSSL_BAD_DECRYPT", "BAD_DECRYPT", "error:1C800064", "Incorrect password, could not decrypt key"]
        [],
    A22 "what the file holds is PEM and no certificate or private key that TLS can use"
        "give the certificate or the private key itself"
        ["BEGIN OPENSSH PRIVATE KEY", "BEGIN CERTIFICATE REQUEST", "BEGIN NEW CERTIFICATE REQUEST", "BEGIN PUBLIC KEY",
         "BEGIN SSH2"]
        [],
    A23 "PKCS#1 and SEC1 are older forms of a private key, which some programs do not read"
        "convert it to PKCS#8 where a program refuses it: gridmq certs convert"
        ["algid parse error, not a sequence", "InvalidKeySpecException"]
        [],
    A24 "it was encrypted with RC2 or triple DES, which OpenSSL 3 no longer reads by default"
        "write it anew: gridmq certs convert"
        ["RC2-40-CBC", "Unsupported PKCS12 PFX data", "error:0308010C", "ERR_CRYPTO_UNSUPPORTED_OPERATION", "inner_evp_generic_fetch"]
        [],
    A25 "it is encrypted with AES-256 and has a SHA-256 MAC, which Windows reads from Server 2019 and Windows 10 1709 on"
        "write it with `gridmq certs convert --compat`"
        ["The specified network password is not correct", "0x80070056"]
        [],
    A26 "the container's MAC does not fit the password; an empty password and none are different things"
        "give the password that it was exported with"
        ["Mac verify error", "mac verify failure", "keystore password was incorrect", "PKCS12_R_MAC_VERIFY_FAILURE",
         "11800071", "Invalid password or PKCS12 data", "Could not deserialize PKCS12 data"]
        [],
    A27 "it was exported without the private key"
        "export it again with the key"
        ["Unable to load private key from PFX data", "HasPrivateKey false", "HasPrivateKey: False", "HasPrivateKey = false",
         "Your keystore contains 0 entries", "must use a certificate with the associated private key"]
        [],
    A28 "it holds the leaf alone, so peers that know only the root find no path"
        "export it again with all certificates of the path"
        ["PKCS#12 file holds no intermediate"]
        [],
    A29 "RSA keys below 2048 bits are refused by current libraries and services"
        "make a key of P-256, or RSA with at least 2048 bits, and have a certificate issued for it"
        ["EE_KEY_TOO_SMALL", "ee key too small", "CA_KEY_TOO_SMALL", "0A00018F", "Key size too small", "DH_KEY_TOO_SMALL",
         "KeyTooSmall", "Algorithm constraints check failed on keysize limits"]
        [],
    A30 "a signature over SHA-1 or MD5 can be forged and is refused"
        "have the certificate issued again with SHA-256"
        ["CA_MD_TOO_WEAK", "ca md too weak", "0A00018E", "md too weak", "signature digest algorithm too weak",
         "Algorithm constraints check failed on signature algorithm", "insecure algorithm SHA1"]
        [],
    A31 "TLS libraries use P-256, P-384, P-521, Ed25519 and RSA keys, and this one is on another curve"
        "make a key on P-256 and have a certificate issued for it"
        ["failed to parse private key as RSA, ECDSA, or EdDSA", "unknown group: secp256k1", "WRONG_CURVE", "0A00017A",
         "Unsupported elliptic curve", "unsupported curve", "InvalidEcCurve"]
        [],
    A32 "the URI names no token, object or PIN that the PKCS#11 module has"
        "list what the token holds, and correct the URI"
        ["The private key was not found at: pkcs11:", "The specified PIN is incorrect", "CKR_PIN_INCORRECT",
         "CKR_TOKEN_NOT_PRESENT", "CKR_SLOT_ID_INVALID", "CKR_TOKEN_NOT_RECOGNIZED", "CKR_OBJECT_HANDLE_INVALID",
         "CKR_USER_PIN_NOT_INITIALIZED", "CKR_PIN_LOCKED", "pkcs11…object not found", "Unable to load module…pkcs11"]
        [],
    A33 "the file is a link to a directory that is exchanged as a whole, so a watch on the file itself sees nothing"
        "watch the directory; this program does"
        ["..data ->", "file is replaced by rename"]
        [],
    A34 "the certificate neither issued the leaf's path nor belongs to it, so it is left out"
        "remove it from the file"
        ["unrelated certificate in chain", "chain issues: Extra certs"]
        [],
    A35 "a file of certificates or keys is text or DER of at most 1 MiB"
        "name the file that holds the certificate or key"
        ["Is a directory", "EISDIR: illegal operation on a directory", "os error 21"]
        [],
}
