#include "model/summing.h"

namespace memprof {

namespace {

constexpr size_t kPrefetchDistance = 8;

}  // namespace

[[gnu::always_inline]] inline void Summing::prefetch(const SumOp& op) const {
  const Account& account = *accounts_[op.domain];
  account.sites.prefetch(account.directory.peek(key_of(op)));
}

inline SiteIndex Summing::entered_site(Account& account, const SumOp& op) {
  const StackId key = key_of(op);
  const SiteIndex site = account.directory.site_of(key);
  if (site == account.sites.all().size())
    account.sites.add_site(nodes_.canonical(key), op.tag);
  else
    account.sites.note_tag(site, op.tag);
  return site;
}

[[gnu::always_inline]] inline void Summing::apply_to(Account& account, const SumOp& op) {
  using Kind = SumOp::Kind;
  Sites& sites = account.sites;
  const auto known_site = [&] { return account.directory.site_of(key_of(op)); };
  switch (op.kind) {
    case Kind::allocated:
      sites.add_allocation(entered_site(account, op), op.bytes, stamp_ != 0 ? stamp_ : op.ticks);
      break;
    case Kind::closed_temporary: sites.add_temporary(known_site()); [[fallthrough]];
    case Kind::closed: sites.close(known_site(), op.bytes); break;
    case Kind::reopened: sites.reopen(known_site(), op.bytes, op.ticks); break;
    case Kind::shrunk: sites.shrink(known_site(), op.bytes); break;
    case Kind::carried: sites.carry(entered_site(account, op), op.bytes, op.ticks); break;
    case Kind::temporary: sites.add_temporary(known_site()); break;
    case Kind::site: entered_site(account, op); break;
    case Kind::stamp: break;
  }
}

void Summing::apply(std::span<const SumOp> ops) {
  for (size_t i = 0; i < ops.size(); ++i) {
    if (i + kPrefetchDistance < ops.size()) prefetch(ops[i + kPrefetchDistance]);
    const SumOp& op = ops[i];
    if (op.kind == SumOp::Kind::stamp) {
      stamp_ = op.ticks;
      continue;
    }
    apply_to(*accounts_[op.domain], op);
    if (together_ && domains_together_->has(op.domain)) apply_to(*together_, op);
    if (observer_) tell(op);
    stamp_ = 0;
  }
}

void Summing::tell(const SumOp& op) {
  SumChange change{op.domain, SumChange::Kind::allocated, op.thread, 0, op.ticks, 0, op.bytes};
  switch (op.kind) {
    case SumOp::Kind::allocated: change.alloc_ticks = stamp_ != 0 ? stamp_ : op.ticks; break;
    case SumOp::Kind::closed_temporary:
    case SumOp::Kind::closed: change.kind = SumChange::Kind::closed; break;
    case SumOp::Kind::reopened: change.kind = SumChange::Kind::reopened; break;
    case SumOp::Kind::shrunk: change.kind = SumChange::Kind::shrunk; break;
    case SumOp::Kind::carried: change.kind = SumChange::Kind::carried; break;
    case SumOp::Kind::temporary:
    case SumOp::Kind::site:
    case SumOp::Kind::stamp: return;
  }
  change.stack = nodes_.canonical(key_of(op));
  observer_->changed(change);
}

void Summing::finish() {
  for (const std::unique_ptr<Account>& account : accounts_)
    if (account) account->sites.settle();
  if (together_) together_->sites.settle();
}

}  // namespace memprof
