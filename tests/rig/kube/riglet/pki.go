package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const testUser = "raydeploy-test"

type authority struct {
	dir    string
	server string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// pkiMain writes every key, certificate, token and kubeconfig of one rig.
func pkiMain(args []string) error {
	flags := flag.NewFlagSet("pki", flag.ContinueOnError)
	dir := flags.String("dir", "", "the rig's folder")
	server := flags.String("server", "", "URL of the API server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pki := filepath.Join(*dir, "pki")
	if _, err := os.Stat(filepath.Join(pki, "ca.crt")); err == nil {
		return nil // a reset keeps its certificates
	}
	if err := os.MkdirAll(pki, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(pki, *server)
	if err != nil {
		return err
	}
	hosts := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "127.0.0.1", "::1", serviceAddress}
	for i := 1; i <= maxNodes; i++ {
		hosts = append(hosts, nodeAddress(i))
	}
	if err := ca.issue("apiserver", "kube-apiserver", nil, hosts); err != nil {
		return err
	}
	if err := ca.issue("kubelet-client", "kube-apiserver-kubelet-client",
		[]string{"system:masters"}, nil); err != nil {
		return err
	}
	if err := ca.serviceAccountKeys(); err != nil {
		return err
	}
	masters := []string{"system:masters"}
	for _, user := range []struct {
		file, name string
		groups     []string
	}{
		{"pki/controller-manager.kubeconfig", "system:kube-controller-manager", nil},
		{"pki/scheduler.kubeconfig", "system:kube-scheduler", nil},
		{"pki/riglet.kubeconfig", "rig-riglet", masters},
		{"pki/kwok.kubeconfig", "rig-kwok", masters},
		{"admin.kubeconfig", "rig-admin", masters},
		{"kubeconfig", testUser, nil},
	} {
		if err := ca.kubeconfig(filepath.Join(*dir, user.file), user.name, user.groups); err != nil {
			return err
		}
	}
	return ca.tokens()
}

func newAuthority(dir, server string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "raydeploy rig"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	ca := &authority{dir: dir, server: server, cert: cert, key: key, serial: 1}
	return ca, ca.write("ca", der, key)
}

// write stores NAME.crt and NAME.key.
func (ca *authority) write(name string, der []byte, key crypto.PrivateKey) error {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(ca.dir, name+".crt"), block, 0o644); err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	return os.WriteFile(filepath.Join(ca.dir, name+".key"), block, 0o600)
}

func (ca *authority) issue(file, name string, groups, hosts []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial),
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	return ca.write(file, der, key)
}

func (ca *authority) kubeconfig(file, name string, groups []string) error {
	if err := ca.issue("user-"+filepath.Base(file), name, groups, nil); err != nil {
		return err
	}
	read := func(ext string) []byte {
		data, _ := os.ReadFile(filepath.Join(ca.dir, "user-"+filepath.Base(file)+ext))
		return data
	}
	caData, err := os.ReadFile(filepath.Join(ca.dir, "ca.crt"))
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["rig"] = &clientcmdapi.Cluster{Server: ca.server, CertificateAuthorityData: caData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: read(".crt"), ClientKeyData: read(".key")}
	config.Contexts["rig"] = &clientcmdapi.Context{Cluster: "rig", AuthInfo: name}
	config.CurrentContext = "rig"
	return clientcmd.WriteToFile(*config, file)
}

func (ca *authority) serviceAccountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
	if err := os.WriteFile(filepath.Join(ca.dir, "sa.key"), block, 0o600); err != nil {
		return err
	}
	if raw, err = x509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		return err
	}
	block = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw})
	return os.WriteFile(filepath.Join(ca.dir, "sa.pub"), block, 0o644)
}

// tokens makes two bearer tokens: one user may do everything, one nothing at all.
func (ca *authority) tokens() error {
	csv := ""
	for _, user := range [][2]string{{"test", "raydeploy-token"}, {"nobody", "raydeploy-nobody"}} {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return err
		}
		token := hex.EncodeToString(secret)
		file := filepath.Join(ca.dir, user[0]+".token")
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			return err
		}
		csv += fmt.Sprintf("%s,%s,%s\n", token, user[1], user[1])
	}
	return os.WriteFile(filepath.Join(ca.dir, "tokens.csv"), []byte(csv), 0o600)
}

// portsMain prints free ports below the range the system hands out by itself, so
// that no outgoing connection takes one before its server does.
func portsMain(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("ports takes a count")
	}
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var held []net.Listener
	for tries := 0; len(held) < count; tries++ {
		if tries > 1000 {
			return fmt.Errorf("no free ports")
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+mrand.IntN(12000)))
		if err == nil {
			held = append(held, listener)
		}
	}
	for _, listener := range held {
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		listener.Close()
	}
	return nil
}
