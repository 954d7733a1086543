#include "steps.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace assent::lincheck {
namespace {

class Maker {
  public:
    explicit Maker(int64_t upto_us) : upto_us_(upto_us) {}

    void add(const Operation& o) {
        if (o.outcome == Outcome::cancelled) return;
        Step step;
        step.operation = &o;
        step.invoked = o.invoked_us;
        const bool answered = o.outcome == Outcome::confirmed && o.returned_us <= upto_us_;
        if (answered) step.returned = o.returned_us;
        if (!answered && o.kind == OpKind::get) return;
        switch (o.kind) {
            case OpKind::put: step.sets = value(o.value); break;
            case OpKind::get: step.when = {Condition::is, answer(o)}; break;
            case OpKind::del: add_del(o, answered, step); break;
            case OpKind::cas: add_cas(o, answered, step); break;
        }
        steps_.push_back(step);
    }

    std::vector<Step> take() {
        require_seen();
        merge_unnamed();
        drop_unseen();
        return std::move(steps_);
    }

  private:
    static void add_del(const Operation& o, bool answered, Step& step) {
        const bool absent = answered && o.found && !*o.found;
        if (answered && o.found) step.when = {absent ? Condition::is : Condition::is_not, kAbsent};
        if (!absent) step.sets = kAbsent;
    }

    void add_cas(const Operation& o, bool answered, Step& step) {
        const Value old = value(o.old_value);
        const Value now = value(o.value);
        if (answered && o.swapped && !*o.swapped) {
            step.when = {Condition::is_not, old};
            if (!o.found) return;
            const Value was = answer(o);
            step.when = {was == old ? Condition::never : Condition::is, was};
            return;
        }
        step.when = {Condition::is, old};
        if (now != old) step.sets = now;
        step.or_nothing = answered && !o.swapped;
    }

    Value answer(const Operation& o) { return *o.found ? value(o.result) : kAbsent; }

    Value value(const std::optional<std::string>& text) {
        if (!text) return kAbsent;
        return numbers_.emplace(*text, Value(numbers_.size() + kSome + 1)).first->second;
    }
    size_t values() const { return numbers_.size() + kSome + 1; }

    // An unknown one that alone can have written what somebody saw did happen, before that one returned.
    void require_seen() {
        std::vector<uint32_t> writers(values());
        std::vector<Step*> writer(values());
        for (Step& s : steps_) {
            if (!s.sets || *s.sets == kAbsent) continue;
            ++writers[*s.sets];
            writer[*s.sets] = &s;
        }
        std::vector<const Step*> seeing;
        for (const Step& s : steps_) seeing.push_back(&s);
        while (!seeing.empty()) {
            const Step& s = *seeing.back();
            seeing.pop_back();
            if (s.optional() || s.or_nothing || s.when.kind != Condition::is || writers[s.when.value] != 1) continue;
            Step& w = *writer[s.when.value];
            if (w.operation->outcome == Outcome::confirmed && w.operation->returned_us <= upto_us_) continue;
            if (s.returned < w.invoked || s.returned >= w.returned) continue;
            w.returned = s.returned;
            seeing.push_back(&w);
        }
    }

    // Values that nothing asks for by name after they may have been written are all the same.
    void merge_unnamed() {
        std::vector<int64_t> last_named(values(), std::numeric_limits<int64_t>::min());
        for (const Step& s : steps_) {
            if (s.when.names()) last_named[s.when.value] = std::max(last_named[s.when.value], s.returned);
        }
        for (Step& s : steps_) {
            if (s.sets && *s.sets != kAbsent && last_named[*s.sets] < s.invoked) s.sets = kSome;
        }
    }

    // What need not happen, and never can or makes no difference.
    void drop_unseen() {
        std::vector<bool> written(values());
        written[kAbsent] = true;
        bool some_is_seen = false;
        for (const Step& s : steps_) {
            if (s.sets) written[*s.sets] = true;
            some_is_seen = some_is_seen || s.when.kind == Condition::is_not || s.or_nothing;
        }
        std::erase_if(steps_, [&](const Step& s) {
            if (!s.optional()) return false;
            const bool impossible = s.when.kind == Condition::is && !written[s.when.value];
            return impossible || !s.sets || (*s.sets == kSome && !some_is_seen);
        });
    }

    int64_t upto_us_;
    std::vector<Step> steps_;
    std::unordered_map<std::string_view, Value> numbers_;
};

}  // namespace

std::vector<Step> make_steps(const Operations& operations, int64_t upto_us) {
    Maker maker(upto_us);
    for (const Operation* o : operations) {
        if (o->invoked_us <= upto_us) maker.add(*o);
    }
    return maker.take();
}

}  // namespace assent::lincheck
