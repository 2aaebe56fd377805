"""The page of budgets and rate limits, and their forms, for administrators."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import AuthenticatedRequest
from ledger.forms import BudgetForm, RateLimitForm
from ledger.models import Budget, RateLimit
from ledger.reports.budget_meters import list_overviews
from ledger.views.access import editors_only


@editors_only
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    budgets = Budget.objects.select_related("group", "person", "key__person")
    limits = RateLimit.objects.select_related("person", "key__person").order_by("scope", "pk")
    order = {"site": 0, "group": 1, "person": 2, "key": 3}
    ordered = sorted(budgets, key=lambda each: (order[each.scope], not each.is_for_each, each.subject_name.casefold()))
    return render(request, "ledger/budgets.html", {"overviews": list_overviews(ordered), "limits": limits})


@editors_only
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedRequest) -> HttpResponse:
    return save_budget(request, BudgetForm(request.POST or None))


@editors_only
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedRequest, budget_pk: int) -> HttpResponse:
    return save_budget(request, BudgetForm(request.POST or None, instance=get_object_or_404(Budget, pk=budget_pk)))


@editors_only
@require_POST
def remove(request: AuthenticatedRequest, budget_pk: int) -> HttpResponse:
    get_object_or_404(Budget, pk=budget_pk).delete()
    messages.success(request, "Removed the budget.")
    return redirect("budgets")


@editors_only
@require_http_methods(["GET", "HEAD", "POST"])
def add_limit(request: AuthenticatedRequest) -> HttpResponse:
    return save_limit(request, RateLimitForm(request.POST or None))


@editors_only
@require_http_methods(["GET", "HEAD", "POST"])
def edit_limit(request: AuthenticatedRequest, limit_pk: int) -> HttpResponse:
    limit = get_object_or_404(RateLimit, pk=limit_pk)
    return save_limit(request, RateLimitForm(request.POST or None, instance=limit))


@editors_only
@require_POST
def remove_limit(request: AuthenticatedRequest, limit_pk: int) -> HttpResponse:
    get_object_or_404(RateLimit, pk=limit_pk).delete()
    messages.success(request, "Removed the limit.")
    return redirect("budgets")


def save_budget(request: AuthenticatedRequest, form: BudgetForm) -> HttpResponse:
    if form.is_valid():
        messages.success(request, f"Saved the budget for {form.save().subject_name}.")
        return redirect("budgets")
    status = 422 if form.is_bound else 200
    return render(request, "ledger/budget_form.html", {"form": form, "stored": form.instance.pk}, status=status)


def save_limit(request: AuthenticatedRequest, form: RateLimitForm) -> HttpResponse:
    if form.is_valid():
        form.save()
        messages.success(request, "Saved the limit.")
        return redirect("budgets")
    status = 422 if form.is_bound else 200
    return render(request, "ledger/limit_form.html", {"form": form, "stored": form.instance.pk}, status=status)
