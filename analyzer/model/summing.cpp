#include "model/summing.h"

namespace memprof {

namespace {

constexpr size_t kPrefetchDistance = 8;

}  // namespace

void Summing::apply(const SumOps& ops) {
  using Kind = SumOp::Kind;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (i + kPrefetchDistance < ops.size()) {
      const SumOp& ahead = ops[i + kPrefetchDistance];
      accounts_[ahead.domain]->sites.prefetch(ahead.site);
    }
    const SumOp& op = ops[i];
    Sites& sites = accounts_[op.domain]->sites;
    switch (op.kind) {
      case Kind::allocated: sites.add_allocation(op.site, op.bytes, stamp_ != 0 ? stamp_ : op.ticks); break;
      case Kind::closed_temporary: sites.add_temporary(op.site); [[fallthrough]];
      case Kind::closed: sites.close(op.site, op.bytes); break;
      case Kind::reopened: sites.reopen(op.site, op.bytes, op.ticks); break;
      case Kind::shrunk: sites.shrink(op.site, op.bytes); break;
      case Kind::carried: sites.carry(op.site, op.bytes, op.ticks); break;
      case Kind::temporary: sites.add_temporary(op.site); break;
      case Kind::site: sites.add_site(static_cast<StackId>(op.bytes)); break;
      case Kind::stamp: stamp_ = op.ticks; continue;
    }
    if (observer_) tell(sites, op);
    stamp_ = 0;
  }
}

void Summing::tell(const Sites& sites, const SumOp& op) {
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
  change.stack = sites[op.site].stack;
  observer_->changed(change);
}

void Summing::finish() {
  for (const std::unique_ptr<Account>& account : accounts_)
    if (account) account->sites.settle(account->directory);
}

}  // namespace memprof
