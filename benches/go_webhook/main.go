// A webhook for IPPool as a good Go engineer would write one on controller-runtime: typed objects, a validator that
// collects all errors, a defaulter that makes ranges canonical. It is there to be compared with.
//
// What it has not: the ratchet (a pool that is broken already is refused at every change), trusted writers, rules about
// changes, and numbers kept as they are: what it patches has been through Go's types.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	whereabouts "github.com/k8snetworkplumbingwg/whereabouts/pkg/api/whereabouts.cni.cncf.io/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func main() {
	host := flag.String("host", "127.0.0.1", "address to listen on")
	port := flag.Int("port", 9443, "port to listen on")
	certs := flag.String("cert-dir", "", "directory with tls.crt and tls.key")
	flag.Parse()
	ctrl.SetLogger(zap.New())

	scheme := runtime.NewScheme()
	if err := whereabouts.AddToScheme(scheme); err != nil {
		fail(err)
	}
	server := webhook.NewServer(webhook.Options{
		Host: *host, Port: *port, CertDir: *certs,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }},
	})
	server.Register("/mutate", admission.WithDefaulter[*whereabouts.IPPool](scheme, pools{}))
	server.Register("/validate", admission.WithValidator[*whereabouts.IPPool](scheme, pools{}))
	if err := server.Start(ctrl.SetupSignalHandler()); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "peer:", err)
	os.Exit(1)
}

type pools struct{}

// Default writes the range as its network and moves the offsets, which count from the address as written.
func (pools) Default(_ context.Context, pool *whereabouts.IPPool) error {
	ip, network, err := net.ParseCIDR(strings.TrimSpace(pool.Spec.Range))
	if err != nil {
		return nil // for the validator to say
	}
	shift := new(big.Int).Sub(number(ip), number(network.IP))
	if shift.Sign() != 0 {
		moved := make(map[string]whereabouts.IPAllocation, len(pool.Spec.Allocations))
		for key, allocation := range pool.Spec.Allocations {
			offset, err := strconv.ParseInt(key, 10, 64)
			if err != nil {
				return nil
			}
			moved[new(big.Int).Add(big.NewInt(offset), shift).String()] = allocation
		}
		pool.Spec.Allocations = moved
	}
	pool.Spec.Range = network.String()
	return nil
}

func number(ip net.IP) *big.Int {
	address, _ := netip.AddrFromSlice(ip)
	return new(big.Int).SetBytes(address.Unmap().AsSlice())
}

func (pools) ValidateCreate(_ context.Context, pool *whereabouts.IPPool) (admission.Warnings, error) {
	return nil, validate(pool)
}

func (pools) ValidateUpdate(_ context.Context, _, pool *whereabouts.IPPool) (admission.Warnings, error) {
	return nil, validate(pool)
}

func (pools) ValidateDelete(context.Context, *whereabouts.IPPool) (admission.Warnings, error) {
	return nil, nil
}

func validate(pool *whereabouts.IPPool) error {
	spec := field.NewPath("spec")
	all, size := validateRange(pool.Spec.Range, spec.Child("range"))
	offsets := make(map[int64]string, len(pool.Spec.Allocations))
	owners := make(map[string]string, len(pool.Spec.Allocations))
	for key, allocation := range pool.Spec.Allocations {
		path := spec.Child("allocations").Key(key)
		all = append(all, validateOffset(key, size, offsets, path)...)
		all = append(all, validateAllocation(key, allocation, owners, path)...)
	}
	if len(all) == 0 {
		return nil
	}
	kind := schema.GroupKind{Group: whereabouts.SchemeGroupVersion.Group, Kind: "IPPool"}
	return apierrors.NewInvalid(kind, pool.Name, all)
}

// validateRange returns the number of addresses as well; 0 where there is no range.
func validateRange(text string, path *field.Path) (field.ErrorList, *big.Int) {
	if text == "" {
		return field.ErrorList{field.Required(path, "")}, nil
	}
	ip, network, err := net.ParseCIDR(text)
	if err != nil {
		return field.ErrorList{field.Invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")}, nil
	}
	ones, bits := network.Mask.Size()
	size := new(big.Int).Lsh(big.NewInt(1), uint(bits-ones))
	if !ip.Equal(network.IP) {
		return field.ErrorList{field.Invalid(path, text, fmt.Sprintf("must be in canonical form (%q)", network))}, size
	}
	return nil, size
}

func validateOffset(key string, size *big.Int, seen map[int64]string, path *field.Path) field.ErrorList {
	offset, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return field.ErrorList{field.Invalid(path, key, "must be a decimal offset from the first address")}
	}
	var all field.ErrorList
	if other, twice := seen[offset]; twice {
		all = append(all, field.Duplicate(path, other))
	}
	seen[offset] = key
	if size != nil && (offset < 0 || big.NewInt(offset).Cmp(size) >= 0) {
		all = append(all, field.Invalid(path, key, fmt.Sprintf("must be between 0 and %s", new(big.Int).Sub(size, big.NewInt(1)))))
	}
	return all
}

func validateAllocation(key string, it whereabouts.IPAllocation, owners map[string]string, path *field.Path) field.ErrorList {
	var all field.ErrorList
	if it.ContainerID == "" {
		all = append(all, field.Required(path.Child("id"), ""))
	}
	namespace, name, found := strings.Cut(it.PodRef, "/")
	switch {
	case it.PodRef == "":
		all = append(all, field.Required(path.Child("podref"), ""))
	case !found || namespace == "" || name == "" || strings.Contains(name, "/"):
		all = append(all, field.Invalid(path.Child("podref"), it.PodRef, "must be namespace/name"))
	}
	owner := it.ContainerID + " " + it.IfName
	if other, twice := owners[owner]; twice {
		all = append(all, field.Duplicate(path, "the same container and interface as "+other))
	}
	owners[owner] = key
	return all
}
